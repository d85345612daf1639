"""Taking a connection over from uvicorn while it waits for the body of a response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from flowmaestro.streaming import CHUNKED, UNFRAMED, Framing, Stream

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from flowmaestro.api.stream.protocol import StreamingHttpProtocol

TAKEOVER_EXTENSION: Final = "flowmaestro.takeover"
"""An extension of the ASGI scope: a :class:`Takeover`. It is there where the server can let an
application write to its connection, and everything works without it."""


class Takeover:
    """A request's chance to have its connection to itself, once its response has begun."""

    __slots__ = ("_cycle", "_protocol")

    def __init__(self, protocol: StreamingHttpProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle

    def take(self) -> TakenConnection | None:
        """Return the connection, for which uvicorn then considers the response complete; ``None``
        when it is not to be had, and the response must go on as usual.

        It is not while a request's body is still arriving or a further request has begun to, while
        what was written has not been taken, or when the client has gone.
        """
        cycle, protocol = self._cycle, self._protocol
        if (
            not cycle.response_started
            or cycle.response_complete
            or cycle.disconnected
            or cycle.more_body
            or protocol.transport.is_closing()
            or protocol.flow.write_paused
            or not protocol.rests_after(cycle)
        ):
            return None
        connection = TakenConnection(protocol, cycle)
        cycle.response_complete = True
        del cycle.scope["extensions"][TAKEOVER_EXTENSION]
        protocol.let_go()
        return connection


class TakenConnection:
    """A connection without its HTTP; it can have a new one afterwards.

    It stands in for the protocol among uvicorn's connections, so that uvicorn waits for it when it
    shuts down.
    """

    __slots__ = ("_arguments", "_keep_alive", "_protocol_class", "framing", "transport")

    def __init__(self, protocol: StreamingHttpProtocol, cycle: RequestResponseCycle) -> None:
        self.transport: asyncio.Transport = protocol.transport
        self.framing: Framing = CHUNKED if cycle.chunked_encoding else UNFRAMED
        self._keep_alive = cycle.keep_alive
        self._protocol_class = type(protocol)
        self._arguments = (protocol.config, protocol.server_state, protocol.app_state)

    def begin(self, stream: Stream) -> None:
        """*stream* has the transport now."""
        self._connections.add(stream)

    def lost(self, stream: Stream) -> None:
        self._connections.discard(stream)

    def not_to_be_kept(self) -> None:
        self._keep_alive = False

    def give_back(self, stream: Stream, early: bytes) -> None:
        """Go on as an HTTP connection that is kept alive, or close it if it is not to be."""
        self._connections.discard(stream)
        transport = self.transport
        if transport.is_closing():
            return
        if not self._keep_alive:
            transport.close()
            return
        protocol = self._protocol_class(*self._arguments)
        transport.set_write_buffer_limits()
        transport.set_protocol(protocol)
        protocol.connection_resumed(transport, early)

    @property
    def _connections(self) -> set[object]:
        found: set[object] = self._arguments[1].connections  # type: ignore[assignment]
        return found
