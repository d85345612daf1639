"""A client that is no burden: HTTP over connections that are kept alive, with nothing spared in
checking what comes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

TERMINAL = (b"execution:completed", b"execution:failed", b"execution:cancelled")
CONNECTION_LIMIT = 3_000
REUSE_SECONDS = 30.0
"""Well within the time for which the server keeps a connection that nobody uses."""


class WrongStream(Exception):
    """A stream was not what it must be: numbers from 1 without a gap, and a terminal event last."""


class Refused(Exception):
    """The server answered with another status than was hoped for."""

    def __init__(self, status: int, retry_after_seconds: float | None, body: bytes) -> None:
        super().__init__(f"{status}: {body[:300]!r}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.body = body


@dataclass(slots=True)
class Followed:
    """What the reader of one execution got."""

    events: int = 0
    delivery_seconds: list[float] = field(default_factory=list)
    """From each event's timestamp, which has milliseconds, to the reader."""
    completed: bool = False


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float = 0.0


class Client:
    """Asks one server with one key."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._headers = f"Host: bench\r\nX-API-Key: {key}\r\n"
        self._idle: deque[_Connection] = deque()
        self._room = asyncio.Semaphore(CONNECTION_LIMIT)

    async def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Return the body of an answer.

        Raises:
            Refused: it is no success.
        """
        async with self._connection() as connection:
            self._send(connection, method, path, body)
            status, headers = await _read_head(connection.reader)
            answer = await connection.reader.readexactly(int(headers.get(b"content-length", b"0")))
        if status >= 300:
            seconds = headers.get(b"retry-after")
            raise Refused(status, None if seconds is None else float(seconds), answer)
        return answer

    async def execute(self, workflow_id: str, inputs: object) -> str:
        """Start an execution and return its id."""
        answer = await self.ask("POST", f"/api/v1/workflows/{workflow_id}/execute", inputs)
        found: str = json.loads(answer)["data"]["execution_id"]
        return found

    async def follow(self, execution_id: str) -> Followed:
        """Read an execution's events to the end.

        Raises:
            Refused: the stream was.
            WrongStream: an event was lost, or came twice, or after the end.
        """
        found = Followed()
        terminal = b""
        async with self._connection() as connection:
            self._send(connection, "GET", f"/api/v1/executions/{execution_id}/events")
            reader = connection.reader
            status, headers = await _read_head(reader)
            if status != 200:
                length = int(headers.get(b"content-length", b"0"))
                seconds = headers.get(b"retry-after")
                body = await reader.readexactly(length)
                raise Refused(status, None if seconds is None else float(seconds), body)
            while size := int(await reader.readline(), 16):
                chunk = await reader.readexactly(size + 2)
                now = time.time()
                for frame in chunk[:size].split(b"\n\n"):
                    if not frame.startswith(b"id: "):
                        continue  # the opening frame, a comment
                    id_, event, data = frame.split(b"\n", 2)
                    found.events += 1
                    if terminal or int(id_[4:]) != found.events:
                        raise WrongStream(f"{execution_id}: {id_!r} after {found.events - 1}")
                    found.delivery_seconds.append(now - _timestamp(data))
                    if event[7:] in TERMINAL:
                        terminal = event[7:]
            await reader.readexactly(2)
        if not terminal:
            raise WrongStream(f"{execution_id} ended after {found.events} without its end")
        found.completed = terminal == TERMINAL[0]
        return found

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().writer.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        async with self._room:
            connection = self._take_idle()
            if connection is None:
                connection = _Connection(*await asyncio.open_connection("127.0.0.1", self._port))
            try:
                yield connection
            except BaseException as error:
                if isinstance(error, Refused):
                    self._put_idle(connection)
                else:
                    connection.writer.close()
                raise
            self._put_idle(connection)

    def _take_idle(self) -> _Connection | None:
        now = time.monotonic()
        while self._idle and now - self._idle[0].used_at > REUSE_SECONDS:
            self._idle.popleft().writer.close()
        return self._idle.pop() if self._idle else None

    def _put_idle(self, connection: _Connection) -> None:
        connection.used_at = time.monotonic()
        self._idle.append(connection)

    def _send(self, connection: _Connection, method: str, path: str, body: object = None) -> None:
        text = "" if body is None else json.dumps(body)
        connection.writer.write(
            f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(text)}\r\n\r\n"
            f"{text}".encode()
        )


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:] if line)
    return int(lines[0].split(b" ", 2)[1]), {name.lower(): v for name, v in headers.items()}


def _timestamp(data: bytes) -> float:
    start = data.index(b'"timestamp":"') + 13
    return datetime.fromisoformat(data[start : start + 23].decode() + "+00:00").timestamp()
