"""A small HTTP/1.1 server on loopback that answers byte for byte what a test says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it arrived; header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def json(self) -> Any:
        return json.loads(self.body)


Handler = Callable[[ReceivedRequest, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HttpServer:
    """What runs, and what it has seen."""

    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    """How many were opened."""
    requests: list[ReceivedRequest] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first request is here."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has closed its connection."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


def response(
    status: int = 200,
    body: bytes | str = b"",
    *,
    content_type: str | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Return a whole response."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def json_response(value: Any, status: int = 200) -> bytes:
    """Return a whole response with *value* as JSON."""
    return response(status, json.dumps(value), content_type="application/json")


async def hang(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Never answer: wait until the client has gone or the server is stopped."""
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def http_server(
    handler: Handler | bytes,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpServer]:
    """Serve until the block ends. *handler* writes the answer to each request, or is the answer."""
    server = HttpServer(host)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await _read(reader)) is not None:
            server.requests.append(request)
            server.arrived.set()
            if isinstance(handler, bytes):
                writer.write(handler)
            else:
                answering = asyncio.ensure_future(handler(request, writer))
                gone = asyncio.ensure_future(reader.read(1))
                try:
                    await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if gone.done() and not answering.done():
                        return
                    await answering
                finally:
                    answering.cancel()
                    gone.cancel()
                    await asyncio.gather(answering, gone, return_exceptions=True)
            if writer.is_closing():
                return
            await writer.drain()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        server.connections += 1
        try:
            with contextlib.suppress(ConnectionError):
                await serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the server stops
        finally:
            connections.discard(task)
            server.left.set()
            writer.close()

    listening = await asyncio.start_server(accept, host, port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = start.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return ReceivedRequest(method, target, headers, body)
