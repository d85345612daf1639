"""An HTTP client that is nothing but a socket, so that tests see every byte and every cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from flowmaestro.events import ServerSentEvent, SSEDecoder

PATIENCE_SECONDS = 10.0


class CutOff(Exception):
    """The connection ended in the middle of a response."""


def head_of(
    target: str, *, method: str = "GET", version: str = "1.1", headers: dict[str, str] | None = None
) -> bytes:
    """Return the bytes of a request without a body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


class RawConnection:
    """A connection, and the bytes on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def unsent_bytes(self) -> int:
        """How many of the bytes written the peer has left no room for."""
        return self.writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, count: int) -> bytes:
        """Return some of what comes, at most *count* bytes; nothing at the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read(count)
        return b""

    def end_sending(self) -> None:
        """Close this side's half of the connection."""
        self.writer.write_eof()

    def abort(self) -> None:
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):  # the peer was quicker
            await self.writer.wait_closed()


class RawResponse:
    """A response while it arrives. An async context manager that closes the connection."""

    def __init__(self, connection: RawConnection, *, has_body: bool = True) -> None:
        self._connection = connection
        self._reader = connection.reader
        self._has_body = has_body
        self._ended = False
        self._decoder = SSEDecoder()
        self._events: list[ServerSentEvent] = []
        self.status = 0
        self.status_line = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        """What has arrived of the body, without its framing."""

    @property
    def retry_ms(self) -> int | None:
        """The reconnection time that the events read so far have set."""
        return self._decoder.retry_ms

    async def read_head(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.status_line, *lines = head.strip().split("\r\n")
        self.status = int(self.status_line.split()[1])
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        if not self._has_body or self.status == 204:
            self._ended = True

    async def read_some(self) -> bytes:
        """Return the next part of the body, empty at its end; raise CutOff if it has none."""
        if self._ended:
            return b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            part = await self._read_part()
        self._ended = not part
        self.body += part
        return part

    async def read_all(self) -> bytes:
        """Return the whole body."""
        while await self.read_some():
            pass
        return self.body

    async def read_until(self, needle: bytes) -> bytes:
        """Read until the body holds *needle*, and return the body."""
        while needle not in self.body:
            if not await self.read_some():
                raise AssertionError(f"the body ended without {needle!r}: {self.body[-300:]!r}")
        return self.body

    async def next_event(self) -> ServerSentEvent | None:
        """Return the next server-sent event, ``None`` at the end of the response."""
        while not self._events:
            part = await self.read_some()
            if not part:
                return None
            self._events += self._decoder.feed(part)
        return self._events.pop(0)

    async def events_until(
        self, enough: Callable[[ServerSentEvent], bool] = lambda _: False
    ) -> list[ServerSentEvent]:
        """Return the events up to the first for which *enough* is true, or to the end."""
        found = []
        while (event := await self.next_event()) is not None:
            found.append(event)
            if enough(event):
                break
        return found

    async def numbers_until(self, last: int | None = None) -> list[int]:
        """Return the numbers of the logged events up to number *last*, or to the end."""
        events = await self.events_until(lambda event: event.id == str(last))
        return [int(event.id) for event in events if event.event != "connected"]

    async def connection_ends(self) -> bool:
        """Return whether nothing comes after the response but the connection's end."""
        return not await self._connection.read(1)

    def end_sending(self) -> None:
        """Close this side's half of the connection."""
        self._connection.end_sending()

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> RawResponse:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _read_part(self) -> bytes:
        try:
            if self.headers.get("transfer-encoding") == "chunked":
                size = int((await self._reader.readuntil(b"\r\n")).decode(), 16)
                return (await self._reader.readexactly(size + 2))[:-2]
            if "content-length" in self.headers:
                left = int(self.headers["content-length"]) - len(self.body)
                return await self._reader.readexactly(left) if left else b""
            return await self._reader.read(65536)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise CutOff from error


async def open_connection(
    port: int, *, tls: ssl.SSLContext | None = None, read_limit_bytes: int = 65536
) -> RawConnection:
    """Connect to the server at *port*; little more than *read_limit_bytes* are taken in advance."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, limit=read_limit_bytes
    )
    return RawConnection(reader, writer)


async def responses(connection: RawConnection, count: int) -> AsyncIterator[RawResponse]:
    """Iterate over the next *count* responses on a connection, each of which must be read whole."""
    for _ in range(count):
        response = RawResponse(connection)
        await response.read_head()
        yield response


async def request(
    port: int,
    target: str,
    *,
    tls: ssl.SSLContext | None = None,
    read_limit_bytes: int = 65536,
    **how: Any,
) -> RawResponse:
    """Send a request (see :func:`head_of`) and return its response, of which the head is there."""
    connection = await open_connection(port, tls=tls, read_limit_bytes=read_limit_bytes)
    connection.write(head_of(target, **how))
    response = RawResponse(connection, has_body=how.get("method") != "HEAD")
    try:
        await response.read_head()
    except BaseException:
        connection.abort()
        raise
    return response


class IdleReader:
    """A client that has sent its request and reads nothing until it is told to."""

    def __init__(
        self,
        port: int,
        target: str,
        *,
        receive_buffer_bytes: int = 4096,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._socket = socket.socket()
        # Before the connection is made: the window is agreed on then.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(head_of(target, headers=headers))

    async def start_reading(self, *, read_limit_bytes: int = 65536) -> RawResponse:
        reader, writer = await asyncio.open_connection(sock=self._socket, limit=read_limit_bytes)
        response = RawResponse(RawConnection(reader, writer))
        await response.read_head()
        return response

    def close(self) -> None:
        self._socket.close()
