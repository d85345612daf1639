"""A real uvicorn on a real loopback socket, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from flowmaestro.api.stream.protocol import StreamingHttpProtocol

SERVER_SHUTDOWN_SECONDS = 5


@dataclass(frozen=True)
class RunningServer:
    """A server that answers at ``127.0.0.1`` and *port*."""

    port: int
    uvicorn: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_requests(self) -> int:
        """How many requests are being answered."""
        return len(self.uvicorn.server_state.tasks)


@asynccontextmanager
async def serving(
    app: Callable[..., Awaitable[None]],
    *,
    http: Any = StreamingHttpProtocol,
    send_buffer_bytes: int | None = None,
    **settings: Any,
) -> AsyncIterator[RunningServer]:
    """Serve *app*; leaving the context closes what is open.

    Args:
        app: an ASGI application; its lifespan is run.
        http: uvicorn's setting: a protocol class, ``httptools`` or ``h11``.
        send_buffer_bytes: the size of the kernel's send buffer of each connection, which
            otherwise grows to megabytes and hides how slow a reader is.
        settings: further settings of uvicorn.
    """
    with socket.socket() as listener:
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=http, access_log=False, log_config=None, **settings)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield RunningServer(listener.getsockname()[1], server)
        finally:
            await _shut_down(server)


async def _shut_down(server: uvicorn.Server) -> None:
    """What uvicorn does, without its pauses."""
    state = server.server_state
    for one in server.servers:
        one.close()
    for connection in tuple(state.connections):
        connection.shutdown()
    if state.tasks:
        _, hanging = await asyncio.wait(tuple(state.tasks), timeout=SERVER_SHUTDOWN_SECONDS)
        for task in hanging:
            task.cancel()
        assert not hanging, "requests are still being answered: the test left something open"
    for connection in tuple(state.connections):
        connection.transport.abort()
    await server.lifespan.shutdown()
