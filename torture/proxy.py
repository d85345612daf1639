"""A TCP proxy that does to connections what networks do.

It does not know HTTP: it cuts wherever the bytes are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Literal, Self

from torture.subject import Address

TroubleKind = Literal["none", "refuse", "close", "reset", "stall", "delay", "split"]

_WEIGHTS: dict[TroubleKind, int] = {
    "none": 30,
    "refuse": 6,
    "close": 20,
    "reset": 20,
    "stall": 4,
    "delay": 10,
    "split": 10,
}
_READ_BYTES = 16_384
_BUFFER_BYTES = 4096
_SEGMENT_BYTES = 536
"""The size of send buffers goes by it; over loopback it would be 64 KiB."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to one connection.

    Args:
        kind: ``refuse`` resets it at once; ``close`` and ``reset`` end it after ``after_bytes`` of
            the answer, cleanly or not; ``stall`` lets nothing through after them for ``seconds``,
            then resets; ``delay`` holds every piece back for up to ``seconds``; ``split`` lets
            ``after_bytes`` through in pieces of ``piece_bytes``.
    """

    kind: TroubleKind = "none"
    after_bytes: int = 0
    seconds: float = 0.0
    piece_bytes: int = 1


def any_trouble(random: Random) -> Trouble:
    """Return some trouble. Few bytes are likely: heads and first frames are the delicate part."""
    [kind] = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    after = random.choice([random.randrange(600), random.randrange(12_000)])
    seconds = random.uniform(0.2, 3.0) if kind == "stall" else random.uniform(0, 0.02)
    return Trouble(kind, after, seconds, random.randint(1, 7))


class Proxy:
    """Listens on a port of its own and passes connections on to *upstream*, with troubles.

    Args:
        trouble: asked once for each connection.
    """

    def __init__(self, upstream: Address, trouble: Callable[[], Trouble]) -> None:
        self.counts: Counter[TroubleKind] = Counter()
        self._upstream = upstream
        self._trouble = trouble
        self._calm = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> Address:
        assert self._server is not None, "it is entered first"
        host, port = self._server.sockets[0].getsockname()[:2]
        return Address(host, port)

    def calm_down(self) -> None:
        """Give no new connection any trouble from now on."""
        self._calm = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trouble = Trouble() if self._calm else self._trouble()
        self.counts[trouble.kind] += 1
        clean = False
        try:
            with contextlib.suppress(OSError):
                clean = await self._pass_on(trouble, reader, writer)
        finally:
            _end(writer, clean=clean)

    async def _pass_on(
        self, trouble: Trouble, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Return whether the client's connection is to be closed cleanly."""
        if trouble.kind == "refuse":
            return False
        writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        to_client: socket.socket = writer.get_extra_info("socket")
        to_client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        from_server, to_server = await _connect(self._upstream)
        asking = asyncio.create_task(_ask(reader, to_server))
        answering = asyncio.create_task(_answer(trouble, from_server, writer))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            return answering.done() and not answering.exception() and answering.result()
        finally:
            asking.cancel()
            answering.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)
            to_server.transport.abort()


async def _connect(server: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = socket.socket()
    connection.setblocking(False)
    # Small, or a reader that is slow behind this proxy would not be slow for the server.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
    try:
        await asyncio.get_running_loop().sock_connect(connection, (server.host, server.port))
        return await asyncio.open_connection(sock=connection, limit=_BUFFER_BYTES)
    except BaseException:
        connection.close()
        raise


async def _answer(
    trouble: Trouble, from_server: asyncio.StreamReader, to_client: asyncio.StreamWriter
) -> bool:
    passed = 0
    while data := await from_server.read(_READ_BYTES):
        if trouble.kind in ("close", "reset", "stall") and passed + len(data) > trouble.after_bytes:
            to_client.write(data[: trouble.after_bytes - passed])
            await to_client.drain()
            await asyncio.sleep(trouble.seconds if trouble.kind == "stall" else 0)
            return trouble.kind == "close"
        if trouble.kind == "delay":
            await asyncio.sleep(trouble.seconds)
        elif trouble.kind == "split" and passed < trouble.after_bytes:
            await _dribble(data, trouble.piece_bytes, to_client)
            data = b""
        passed += len(data)
        to_client.write(data)
        await to_client.drain()
    return True


async def _dribble(data: bytes, piece_bytes: int, writer: asyncio.StreamWriter) -> None:
    for start in range(0, len(data), piece_bytes):
        writer.write(data[start : start + piece_bytes])
        await writer.drain()
        await asyncio.sleep(0)  # the reader's turn: it is to see the pieces one by one


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what the client sends, until it has left."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()


def _end(writer: asyncio.StreamWriter, *, clean: bool) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    if clean:
        writer.close()
        return
    with contextlib.suppress(OSError):  # gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
