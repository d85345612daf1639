"""What can go wrong with an HTTP exchange, as sentences for whoever watches the execution."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flowmaestro.nodes.errors import NodeError

if TYPE_CHECKING:
    import httpx2

SHOWN_CHARACTERS = 200


def origin_of(url: httpx2.URL) -> str:
    """Return ``scheme://host:port`` of *url*: paths and queries may carry secrets."""
    port = f":{url.port}" if url.port is not None else ""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}"


def translated(error: httpx2.HTTPError, outgoing: httpx2.Request) -> NodeError:
    """Return *error*, of *outgoing* or of a request that it was redirected to, as a sentence."""
    import httpx2

    failed: httpx2.Request = getattr(error, "_request", None) or outgoing
    origin = origin_of(failed.url)
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return NodeError(f"the host {failed.url.host!r} cannot be found", code="http_dns")
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "the handshake failed"
            return NodeError(f"no secure connection to {origin}: {reason}", code="http_tls")
    if isinstance(error, httpx2.TimeoutException):
        return NodeError(f"{origin} did not answer in time", code="http_timeout")
    if isinstance(error, httpx2.LocalProtocolError):
        return NodeError(
            f"the request cannot be sent: {_shown(error)}", code="invalid_request", retryable=False
        )
    if isinstance(error, httpx2.UnsupportedProtocol):
        return invalid_url(error)
    if isinstance(error, httpx2.DecodingError | httpx2.RemoteProtocolError):
        # The library has one class for what is wrong and what is missing; its words tell.
        if "disconnected" in str(error) or "closed connection" in str(error):
            return NodeError(
                f"{origin} closed the connection before its response was whole",
                code="http_connection_lost",
            )
        return NodeError(
            f"{origin} sent something that is no HTTP response: {_shown(error)}",
            code="http_invalid_response",
        )
    if isinstance(error, httpx2.ConnectError):
        reason = next(filter(None, map(_reason, causes)), "")
        return NodeError(
            f"{origin} cannot be reached" + (f": {reason}" if reason else ""),
            code="http_unreachable",
        )
    return NodeError(f"the connection to {origin} was lost", code="http_connection_lost")


def address_forbidden(host: str) -> NodeError:
    """Return the failure of a request to *host*, where ``http`` nodes may not go.

    It does not say which address the host has: that is the operator's to know.
    """
    return NodeError(
        f"http nodes may not reach {host!r}: it is not public, and the server's operator has not "
        "allowed it (the setting FLOWMAESTRO_HTTP_ALLOWED_NETWORKS)",
        code="http_address_forbidden",
        retryable=False,
    )


def invalid_url(error: Exception) -> NodeError:
    """Return the failure of a URL that no request can be sent to."""
    return NodeError(
        f"the URL cannot be used: {_shown(error)}", code="invalid_url", retryable=False
    )


def _shown(error: Exception) -> str:
    """The library quotes what it was sent, however long."""
    text = str(error)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _reason(cause: BaseException) -> str:
    # Not `strerror`: asyncio's has the address, which is not the author's to know.
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else ""


def _causes(error: BaseException) -> Iterator[Any]:
    """Yield *error* and what is behind it, nested groups included."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
