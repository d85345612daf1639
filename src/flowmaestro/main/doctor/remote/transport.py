"""How the server is reached: TLS, the HTTP version, and what answers in between."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx2

from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.main.doctor.remote.reach import is_loopback

CERTIFICATE_WARNING = timedelta(days=14)
_TIMEOUT_SECONDS = 10.0


def check_transport(http: httpx2.Client, base_url: str) -> Iterator[Finding]:
    """Yield what there is to say of the way to the server."""
    if base_url.startswith("https:"):
        yield from _tls_findings(base_url)
    elif is_loopback(base_url):
        yield ok("server.tls", "none, and none is needed on this machine")
    else:
        yield warning(
            "server.tls",
            "none: keys and events can be read on their way",
            "let a proxy in front of the server speak TLS",
        )
    try:
        headers = http.get(f"{base_url}/healthz").headers
    except httpx2.HTTPError:
        return
    # The server itself names neither.
    between = [headers[name] for name in ("Via", "Server") if name in headers]
    yield ok("proxy", f"{', '.join(between)} answers in between" if between else "none says so")


def _tls_findings(base_url: str) -> Iterator[Finding]:
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with (
            socket.create_connection((host, parts.port or 443), _TIMEOUT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            version = secured.version() or "TLS"
            http_version = secured.selected_alpn_protocol()
            certificate = secured.getpeercert() or {}
    except OSError as error:
        yield problem("server.tls", f"{error}", "mend the proxy's certificate")
        return
    expires = datetime.fromtimestamp(
        ssl.cert_time_to_seconds(str(certificate.get("notAfter"))), UTC
    )
    yield certificate_finding(version, expires, datetime.now(UTC))
    yield http_version_finding(http_version)


def certificate_finding(version: str, expires: datetime, now: datetime) -> Finding:
    """Return whether the certificate stays valid for a while."""
    text = f"{version}, and a certificate until {expires:%Y-%m-%d}"
    if expires - now < CERTIFICATE_WARNING:
        return warning("server.tls", text, "renew it, and see why nothing has")
    return ok("server.tls", text)


def http_version_finding(protocol: str | None) -> Finding:
    """Return whether browsers get the HTTP version in which streams share a connection."""
    if protocol == "h2":
        return ok("server.http_version", "HTTP/2 for those who want it")
    return warning(
        "server.http_version",
        "HTTP/1.1 only, over which a browser opens six streams and no more",
        "turn HTTP/2 on at the proxy",
    )
