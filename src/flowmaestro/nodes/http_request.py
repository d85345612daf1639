"""One bounded HTTP exchange: redirects, size, time, and every failure as a clear sentence."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowmaestro.nodes.errors import NodeError

if TYPE_CHECKING:
    import httpx2

MAX_REDIRECTS = 5
MAX_PORT = 65_535

_KEPT_ACROSS_ORIGINS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "content-type", "user-agent"),
        *("connection", "content-length", "host", "transfer-encoding"),
    }
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send, and how long and how large the exchange may be."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    timeout_ms: int
    max_response_bytes: int
    follow_redirects: bool


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back, with the body decompressed."""

    status: int
    headers: dict[str, str]
    """By lower-case name; several of one name are joined by ``", "``."""
    content: bytes
    origin: str
    """``scheme://host:port``: the part of the URL that is safe to show."""


async def send(client: httpx2.AsyncClient, request: HttpRequest) -> HttpResponse:
    """Send *request* and return the whole response, whatever its status.

    :raises NodeError: ``invalid_url``, ``invalid_request`` and ``too_many_redirects``, which
        another attempt would not help; ``http_timeout``, ``http_dns``, ``http_tls``,
        ``http_unreachable``, ``http_connection_lost`` and ``http_invalid_response``, which it may;
        ``http_response_too_large``.

    Cancelling closes the connection.
    """
    import httpx2

    outgoing = _build(client, request)
    try:
        async with asyncio.timeout(request.timeout_ms / 1_000):
            return await _exchange(client, outgoing, request)
    except TimeoutError as error:
        raise NodeError(
            f"{origin_of(outgoing.url)} did not answer within {request.timeout_ms} ms",
            code="http_timeout",
        ) from error
    except httpx2.HTTPError as error:
        raise _translate(error, outgoing) from error
    except httpx2.InvalidURL as error:
        raise _invalid_url(error) from error


def origin_of(url: httpx2.URL) -> str:
    """Return ``scheme://host:port`` of *url*: paths and queries may carry secrets."""
    port = f":{url.port}" if url.port is not None else ""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}"


def _build(client: httpx2.AsyncClient, request: HttpRequest) -> httpx2.Request:
    import httpx2

    try:
        url = _target(request)
        content, headers = _content(request)
        return client.build_request(request.method, url, headers=headers, content=content)
    except httpx2.InvalidURL as error:
        raise _invalid_url(error) from error
    except (TypeError, ValueError) as error:  # a header that is no ASCII, say
        raise NodeError(
            f"the request cannot be sent: {error}", code="invalid_request", retryable=False
        ) from error


def _target(request: HttpRequest) -> httpx2.URL:
    import httpx2

    url = httpx2.URL(request.url)
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) > MAX_PORT:
        raise httpx2.InvalidURL("it needs http or https, a host, and a port that exists")
    return url.copy_merge_params(request.query) if request.query else url


def _content(request: HttpRequest) -> tuple[bytes | None, dict[str, str]]:
    # Only codings that are decoded in bounded pieces, one layer of them.
    headers = {"Accept-Encoding": "gzip, deflate", **request.headers}
    if request.body is None:
        return None, headers
    if isinstance(request.body, str):
        return request.body.encode(), headers
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    text = json.dumps(request.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(), headers


async def _exchange(
    client: httpx2.AsyncClient, outgoing: httpx2.Request, request: HttpRequest
) -> HttpResponse:
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(outgoing, stream=True)
        try:
            if not (request.follow_redirects and response.has_redirect_location):
                return HttpResponse(
                    status=response.status_code,
                    headers=dict(response.headers.items()),
                    content=await _read(response, request.max_response_bytes),
                    origin=origin_of(response.url),
                )
            following = response.next_request
        finally:
            # A redirect's body is of no use, and may be endless: it is not read.
            await response.aclose()
        if following is None or following.url.scheme not in ("http", "https"):
            raise NodeError(
                f"{origin_of(outgoing.url)} redirects to an address that is no HTTP URL",
                code="http_invalid_response",
                retryable=False,
            )
        if following.url.origin != outgoing.url.origin:
            _drop_own_headers(following)
        outgoing = following
    raise NodeError(
        f"{origin_of(outgoing.url)} redirects more than {MAX_REDIRECTS} times",
        code="too_many_redirects",
        retryable=False,
    )


def _drop_own_headers(request: httpx2.Request) -> None:
    """Drop what another origin must not see: a key may travel in a header of any name."""
    for name in list(request.headers):
        if name.lower() not in _KEPT_ACROSS_ORIGINS:
            del request.headers[name]


async def _read(response: httpx2.Response, limit: int) -> bytes:
    encodings = response.headers.get("content-encoding", "").split(",")
    if len(encodings) > 1:
        # Layers multiply: three small ones hold terabytes of work.
        raise NodeError(
            f"{origin_of(response.url)} compressed its response more than once",
            code="http_invalid_response",
            retryable=False,
        )
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > limit:
            raise NodeError(
                f"the response of {origin_of(response.url)} is larger than {limit} bytes",
                code="http_response_too_large",
                retryable=False,
            )
    return bytes(content)


def _translate(error: httpx2.HTTPError, outgoing: httpx2.Request) -> NodeError:
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
            f"the request cannot be sent: {error}", code="invalid_request", retryable=False
        )
    if isinstance(error, httpx2.UnsupportedProtocol):
        return _invalid_url(error)
    if isinstance(error, httpx2.DecodingError | httpx2.RemoteProtocolError):
        # The library has one class for what is wrong and what is missing; its words tell.
        if "disconnected" in str(error) or "closed connection" in str(error):
            return NodeError(
                f"{origin} closed the connection before its response was whole",
                code="http_connection_lost",
            )
        return NodeError(
            f"{origin} sent something that is no HTTP response: {error}",
            code="http_invalid_response",
        )
    if isinstance(error, httpx2.ConnectError):
        reason = next((str(cause.strerror) for cause in causes if _has_reason(cause)), "")
        return NodeError(
            f"{origin} cannot be reached" + (f": {reason}" if reason else ""),
            code="http_unreachable",
        )
    return NodeError(f"the connection to {origin} was lost", code="http_connection_lost")


def _has_reason(cause: BaseException) -> bool:
    return isinstance(cause, OSError) and bool(cause.strerror)


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


def _invalid_url(error: Exception) -> NodeError:
    return NodeError(f"the URL cannot be used: {error}", code="invalid_url", retryable=False)
