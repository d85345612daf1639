"""HTTP/1.1 and Server-Sent Events over a plain socket, from RFC 9112 and the WHATWG specification.

On purpose it shares no code with any client or server that is tortured: a mistake in both would be
no mistake.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from torture.subject import Address, Request

READ_BYTES = 65_536
_MAX_LINE_BYTES = 8 * 1024 * 1024


class WireError(Exception):
    """What came is no HTTP, or not Server-Sent Events: no cut explains it."""


@dataclass(frozen=True, slots=True)
class SentEvent:
    """A frame as it was sent: its fields, without those it did not have."""

    id: str | None
    name: str
    data: bytes


class EventParser:
    """Takes the bytes of a stream in any pieces, and gives its whole events.

    What is left when the stream is cut is no event, as the specification has it.
    """

    def __init__(self) -> None:
        self._unread = b""
        self._id: str | None = None
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[SentEvent]:
        """Return the events that end in *data*.

        Raises:
            WireError: a line is no field of the specification, or endless.
        """
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) > _MAX_LINE_BYTES:
            raise WireError("a line without an end")
        found = []
        for line in lines:
            if line:
                self._field(line)
                continue
            if self._data:
                found.append(SentEvent(self._id, self._name, b"\n".join(self._data)))
            self._id, self._name, self._data = None, "", []
        return found

    def _field(self, line: bytes) -> None:
        if line.startswith(b":"):
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id":
            self._id = value.decode()
        elif name == b"event":
            self._name = value.decode()
        elif name != b"retry":
            raise WireError(f"a line that is no field: {line[:100]!r}")


@dataclass
class Response:
    """The head of an answer, and its body as it comes."""

    status: int
    headers: Mapping[str, str]
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    async def body(self, most: int = READ_BYTES) -> AsyncIterator[bytes]:
        """Yield the body in pieces of at most *most* bytes, to its proper end.

        Raises:
            WireError: the body is not framed as its head says.
            OSError, asyncio.IncompleteReadError: it was cut.
        """
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            async for piece in self._chunks(most):
                yield piece
        elif "content-length" in self.headers:
            left = int(self.headers["content-length"])
            while left:
                piece = await self._some(min(left, most))
                left -= len(piece)
                yield piece
        elif self.status not in (204, 304):
            while piece := await self._reader.read(most):
                yield piece

    async def _chunks(self, most: int) -> AsyncIterator[bytes]:
        while True:
            line = await self._reader.readuntil(b"\r\n")
            try:
                left = int(line, 16)
            except ValueError:
                raise WireError(f"no chunk begins with {line[:100]!r}") from None
            while left:
                piece = await self._some(min(left, most))
                left -= len(piece)
                yield piece
            if await self._reader.readexactly(2) != b"\r\n":
                raise WireError("a chunk is longer than it says")
            if line.strip() == b"0":
                return

    async def _some(self, most: int) -> bytes:
        piece = await self._reader.read(most)
        if not piece:
            raise asyncio.IncompleteReadError(b"", most)
        return piece

    async def whole(self) -> bytes:
        """Return the whole body."""
        return b"".join([piece async for piece in self.body()])

    def abort(self) -> None:
        """Drop the connection, whatever is under way."""
        self._writer.transport.abort()


async def send(
    address: Address, request: Request, *, receive_buffer_bytes: int | None = None
) -> Response:
    """Send *request* on a connection of its own, and return the answer's head.

    Raises:
        WireError: the answer is no HTTP.
        OSError, asyncio.IncompleteReadError: the connection failed, or was cut.

    Cancelling drops the connection.
    """
    connection = socket.socket()
    connection.setblocking(False)
    if receive_buffer_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    try:
        await asyncio.get_running_loop().sock_connect(connection, (address.host, address.port))
        # The reader's own buffer is what a slow reader must not have.
        reader, writer = await asyncio.open_connection(
            sock=connection, limit=receive_buffer_bytes or READ_BYTES
        )
    except BaseException:
        connection.close()
        raise
    try:
        writer.write(_head(address, request) + (request.body or b""))
        head = await reader.readuntil(b"\r\n\r\n")
        status, headers = parse_head(head)
    except asyncio.LimitOverrunError:
        writer.transport.abort()
        raise WireError("a head without an end") from None
    except BaseException:
        writer.transport.abort()
        raise
    return Response(status, headers, reader, writer)


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers, by lower-case name, of an answer's head.

    Raises:
        WireError: it is none.
    """
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise WireError(f"no answer begins with {first[:100]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise WireError(f"a line that is no header: {line[:100]!r}")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers


def _head(address: Address, request: Request) -> bytes:
    headers = {"Host": f"{address.host}:{address.port}", "Connection": "close", **request.headers}
    if request.body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(request.body))}
    method = "GET" if request.body is None else "POST"
    lines = [f"{method} {request.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
