"""Does it answer, is it a FlowMaestro, does it take work; its version and its clock."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2

from flowmaestro import __version__
from flowmaestro.client.transport import failure_text
from flowmaestro.main.doctor.findings import Finding, ok, problem, warning

CLOCK_TOLERANCE = timedelta(seconds=5)


def check_reach(http: httpx2.Client, base_url: str) -> Iterator[Finding]:
    """Yield what the server's own pages say; the first finding is a problem if it is not there."""
    check = "server.reach"
    sent = datetime.now(UTC)
    try:
        response = http.get(f"{base_url}/healthz")
    except httpx2.HTTPError as error:
        yield problem(
            check,
            f"no answer from {base_url}: {failure_text(error)}",
            "start the server, or check the address, the proxy and the certificate",
        )
        return
    received = datetime.now(UTC)
    body = _json(response)
    if response.status_code != 200 or _member(body, "data", "status") != "ok":
        yield problem(
            check,
            f"{base_url}/healthz does not answer as FlowMaestro does (status "
            f"{response.status_code})",
            "check the address, and where the proxy sends it",
        )
        return
    yield ok(check, f"{base_url} answers")
    yield _ready_finding(http, base_url)
    yield version_finding(_version(http, base_url))
    yield clock_finding(_member(body, "meta", "timestamp"), sent, received)
    yield metrics_finding(base_url, exposed=_metrics_exposed(http, base_url))


def _ready_finding(http: httpx2.Client, base_url: str) -> Finding:
    check = "server.ready"
    try:
        response = http.get(f"{base_url}/readyz")
    except httpx2.HTTPError as error:
        return problem(check, f"no answer: {error}", "look into the server's log")
    if response.status_code == 200:
        return ok(check, "it takes work, and its database answers")
    message = _member(_json(response), "error", "message") or f"status {response.status_code}"
    return problem(check, str(message).rstrip("."), "look into the server's log")


def _version(http: httpx2.Client, base_url: str) -> str | None:
    try:
        found = _member(_json(http.get(f"{base_url}/openapi.json")), "info", "version")
    except httpx2.HTTPError:
        return None
    return found if isinstance(found, str) else None


def version_finding(version: str | None) -> Finding:
    """Return whether the server's version is ours; ``None``: it does not tell."""
    if version is None:
        return ok("server.version", "it does not tell (FLOWMAESTRO_DOCS_ENABLED)")
    if version != __version__:
        return warning(
            "server.version",
            f"the server is {version}, and this command {__version__}",
            f'pip install "flowmaestro=={version}" here, or upgrade the server',
        )
    return ok("server.version", version)


def clock_finding(timestamp: Any, sent: datetime, received: datetime) -> Finding:
    """Return whether the clock that said *timestamp* between the two moments agrees with ours."""
    try:
        told = datetime.fromisoformat(timestamp)
        early, late = sent - told, told - received
    except (TypeError, ValueError):
        return problem(
            "server.clock", "its answers tell no time", "check what the proxy does to them"
        )
    apart = max(early, late)
    if apart <= CLOCK_TOLERANCE:
        return ok("server.clock", "it agrees with this machine's")
    direction = "behind" if early > late else "ahead of"
    return warning(
        "server.clock",
        f"it is {apart.total_seconds():,.0f} seconds {direction} this machine's",
        "set both by NTP: keys and tickets expire by the server's",
    )


def _metrics_exposed(http: httpx2.Client, base_url: str) -> str | None:
    parts = urlsplit(base_url)
    for address in (f"{base_url}/metrics", f"{parts.scheme}://{parts.netloc}/metrics"):
        try:
            response = http.get(address)
        except httpx2.HTTPError:
            continue
        if response.status_code == 200 and "flowmaestro_" in response.text:
            return address
    return None


def metrics_finding(base_url: str, exposed: str | None) -> Finding:
    """Return whether strangers can read the metrics, which are *exposed* at an address or not."""
    check = "server.metrics"
    if exposed is None:
        return ok(check, "not to be read at this address")
    if is_loopback(base_url):
        return ok(check, "to be read at this address, which only this machine has")
    return warning(
        check,
        f"anybody can read {exposed}",
        "close it at the proxy, or set FLOWMAESTRO_METRICS_ENABLED=false",
    )


def is_loopback(base_url: str) -> bool:
    """Return whether only this machine can reach the URL's host."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _member(body: Any, *names: str) -> Any:
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return body
