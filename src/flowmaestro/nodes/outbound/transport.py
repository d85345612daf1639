"""The transport of the ``http`` nodes' client: guarded connections, or the operator's proxies."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator

import httpcore2
import httpx2

from flowmaestro.nodes.outbound.backend import GuardedBackend
from flowmaestro.nodes.outbound.guard import Guard
from flowmaestro.nodes.outbound.proxies import EnvironmentProxies, port_of
from flowmaestro.nodes.outbound.scope import EXTENSION, scoped


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests to where they may go.

    Each connection is checked where it is opened, so each redirect is; one that is kept alive is
    used again for its own host and execution only. Where a proxy of the operator's is to be used,
    the target is checked before the proxy is asked; the connection to the proxy itself is neither
    checked nor kept.

    :param use_environment: whether ``HTTP_PROXY`` and its like, and ``SSL_CERT_FILE``, apply.
    """

    def __init__(self, guard: Guard, *, limits: httpx2.Limits, use_environment: bool) -> None:
        self._guard = guard
        context = httpx2.create_ssl_context(trust_env=use_environment)
        self._direct = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=GuardedBackend(guard),
        )
        unkept = httpx2.Limits(max_connections=limits.max_connections, max_keepalive_connections=0)
        self._proxies = (
            EnvironmentProxies(
                lambda url: httpx2.AsyncHTTPTransport(verify=context, limits=unkept, proxy=url)
            )
            if use_environment
            else None
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request*.

        :raises AddressForbidden: its host may not be reached.
        :raises httpx2.TransportError: as every transport.
        """
        proxy = self._proxies.transport_for(request.url) if self._proxies else None
        if proxy is not None:
            await self._guard.check(request.url.host, port_of(request.url))
            return await proxy.handle_async_request(request)
        with _translated_errors():
            response = await self._direct.handle_async_request(_core_request(request))
        assert isinstance(response.stream, AsyncIterable)
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        if self._proxies is not None:
            await self._proxies.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated_errors():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        if hasattr(self._stream, "aclose"):
            await self._stream.aclose()


def _core_request(request: httpx2.Request) -> httpcore2.Request:
    assert isinstance(request.stream, AsyncIterable)
    host = request.url.raw_host
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=scoped(host, request.extensions.get(EXTENSION, "")),
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions={**request.extensions, "sni_hostname": host.decode("ascii")},
    )


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise the client's exceptions for the pool's, which have the same names."""
    try:
        yield
    except (
        httpcore2.TimeoutException,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.ProxyError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        kind: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
        raise kind(str(error)) from error
