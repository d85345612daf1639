"""uvicorn's HTTP protocol, with what streams need of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import is_ssl

from flowmaestro.api.stream.takeover import ABORT_EXTENSION, TAKEOVER_EXTENSION, Takeover

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

    * It offers :class:`Takeover` to the application: a stream then goes to its connection without
      a task, a queue and a message for each of its parts.
    * What is no request is not answered in the middle of a response.
    * A response to a connection that is closing goes nowhere: uvicorn hears of it a turn of the
      event loop later, writes, and reports what the transport then raises as the application's.
    * A response without a length goes to an HTTP/1.0 client as it is and ends with the connection
      (RFC 9112 §6.3): that client knows no chunks, and uvicorn sends it some.
    """

    _active: RequestResponseCycle | None = None
    """What is being answered. uvicorn's ``cycle`` is what arrived last, which may have to wait for
    its turn behind it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # As uvicorn has it, but for the addresses: it asks the socket for them, which costs as much
        # as the rest of opening a connection, where the transport knows.
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport, "sockname")
        self.client = _address(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"

    def connection_resumed(self, transport: asyncio.Transport, early: bytes) -> None:
        """Go on with a connection whose last response is over; *early* is what came meanwhile."""
        self.connection_made(transport)
        transport.set_write_buffer_limits()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        transport.resume_reading()
        if early:
            self.data_received(early)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        cycle = self._active
        if cycle is not None and not cycle.response_complete:
            # uvicorn tells the last request that arrived, and not the one that it waits behind.
            cycle.disconnected = True
            cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request: with an answer, unless it would end up inside another one."""
        cycle = self._active
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()
        else:
            self.refuse(msg)

    def refuse(self, message: str) -> None:
        """Answer what is no request with *message*, and close the connection."""
        super().send_400_response(message)

    def rests_after(self, cycle: RequestResponseCycle) -> bool:
        """Whether no further request has begun to arrive after that of *cycle*."""
        return cycle is self.cycle and cycle.scope is self.scope and not self.pipeline

    def let_go(self) -> None:
        """Have no connection any more."""
        self.connections.discard(self)
        self.server_state.total_requests += 1
        self._unset_keepalive_if_required()
        # These refer to each other in circles, and ten thousand of them at once are work for the
        # collector.
        self.parser = None  # type: ignore[assignment]
        self.cycle = None  # type: ignore[assignment]
        self._active = None
        self.scope = None  # type: ignore[assignment]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active = cycle
        extensions: dict[str, Any] = {
            TAKEOVER_EXTENSION: Takeover(self, cycle),
            ABORT_EXTENSION: self.transport.abort,
        }
        cycle.scope["extensions"] = extensions
        if cycle.scope["http_version"] == "1.0":
            app = _Unchunked(app, cycle)
        super()._start_asgi_task(cycle, _WhileOpen(app, cycle))


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None


class _WhileOpen:
    """Drops what *app* sends when the connection of *cycle* is closing."""

    def __init__(self, app: ASGI3Application, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        cycle = self._cycle
        transport = cycle.transport

        async def send_while_open(message: ASGISendEvent) -> None:
            if transport.is_closing():
                cycle.disconnected = True
            try:
                await send(message)
            except RuntimeError:
                # It was closed while the message waited for room.
                if not transport.is_closing():
                    raise
                cycle.disconnected = True

        await self._app(scope, receive, send_while_open)


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
