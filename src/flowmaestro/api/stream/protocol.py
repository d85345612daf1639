"""uvicorn's HTTP protocol, corrected for what streams need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        Scope,
    )


class StreamingHttpProtocol(HttpToolsProtocol):
    """Pass it to uvicorn as ``http=``.

    A response without a length goes to an HTTP/1.0 client as it is and ends with the connection
    (RFC 9112 §6.3): that client knows no chunks, and uvicorn sends it some.
    """

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = _Unchunked(app, cycle)
        super()._start_asgi_task(cycle, app)


class _Unchunked:
    """Keeps *cycle* from framing the body of a response that has no length."""

    def __init__(self, app: ASGI3Application, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        cycle = self._cycle
        unchunked = False

        async def send_unchunked(message: ASGISendEvent) -> None:
            nonlocal unchunked
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                unchunked = b"content-length" not in names
                if unchunked:
                    cycle.chunked_encoding = False
            elif unchunked and message["type"] == "http.response.body":
                # The cycle counts down what is left of a length; each part is its own.
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, send_unchunked)
