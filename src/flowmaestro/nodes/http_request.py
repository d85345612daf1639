"""One bounded HTTP exchange: redirects, size, time, and every failure as a clear sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.http_failures import address_forbidden, invalid_url, origin_of, translated
from flowmaestro.nodes.http_reading import read_body
from flowmaestro.nodes.outbound.guard import AddressForbidden
from flowmaestro.nodes.outbound.scope import EXTENSION

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
    execution_id: str
    """Connections are kept for further requests of the same execution, and for no other's."""


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
        ``http_response_too_large``; ``http_address_forbidden``, for the host of *request* or one
        that it was redirected to.

    Cancelling closes the connection.
    """
    import httpx2

    outgoing = _build(client, request)
    try:
        async with asyncio.timeout(request.timeout_ms / 1_000):
            return await _exchange(client, outgoing, request)
    except AddressForbidden as error:
        raise address_forbidden(error.host) from error
    except TimeoutError as error:
        raise NodeError(
            f"{origin_of(outgoing.url)} did not answer within {request.timeout_ms} ms",
            code="http_timeout",
        ) from error
    except httpx2.HTTPError as error:
        raise translated(error, outgoing) from error
    except httpx2.InvalidURL as error:
        raise invalid_url(error) from error


def _build(client: httpx2.AsyncClient, request: HttpRequest) -> httpx2.Request:
    import httpx2

    try:
        url = _target(request)
        content, headers = _content(request)
        return client.build_request(
            request.method,
            url,
            headers=headers,
            content=content,
            extensions={EXTENSION: request.execution_id},
        )
    except httpx2.InvalidURL as error:
        raise invalid_url(error) from error
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
                    content=await read_body(response, request.max_response_bytes),
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
