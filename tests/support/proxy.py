"""An HTTP proxy in front of a server, which does what proxies do to streams."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class Proxy:
    """How the proxy behaves."""

    upstream: str
    hold_bytes: int = 0
    """How much of an event stream it wants to have before it passes any of it on."""
    hold_streams: bool = False
    """Whether it passes streams on when they have ended, and not before."""
    compress: bool = False
    """Whether it compresses streams, and flushes what it has compressed at once."""
    drop_request_headers: frozenset[str] = frozenset()
    cut_when_idle_seconds: float | None = None
    """After how long without a byte it cuts a stream."""
    name: str | None = None
    """What it calls itself in ``Server``."""
    base_url: str = field(default="", init=False)

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close its connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, httpx2.HTTPError):
            await self._forward(reader, writer)
        writer.transport.abort() if writer.is_closing() else writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:-2])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        passed = {
            name: value
            for name, value in headers.items()
            if name not in _HOP_BY_HOP | self.drop_request_headers
        }
        async with (
            httpx2.AsyncClient(timeout=None, trust_env=False) as client,
            client.stream(method, self.upstream + target, headers=passed, content=body) as response,
        ):
            await self._answer(response, writer)

    async def _answer(self, response: httpx2.Response, writer: asyncio.StreamWriter) -> None:
        streams = response.headers.get("content-type", "").startswith("text/event-stream")
        compress = self.compress and streams
        lines = [f"HTTP/1.1 {response.status_code} {response.reason_phrase}"]
        lines += [
            f"{name}: {value}"
            for name, value in response.headers.items()
            if name.lower() not in _HOP_BY_HOP
        ]
        if self.name is not None:
            lines.append(f"server: {self.name}")
        if compress:
            lines.append("content-encoding: gzip")
        lines += ["connection: close", "transfer-encoding: chunked", "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        pieces = self._stream(response) if streams else response.aiter_raw()
        packer = zlib.compressobj(wbits=31)
        async for piece in pieces:
            data = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) if compress else piece
            if data:
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _stream(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        held = b""
        pieces = response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout(self.cut_when_idle_seconds):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                break
            except TimeoutError as error:
                raise ConnectionAbortedError from error
            held += piece
            if not self.hold_streams and len(held) >= self.hold_bytes:
                yield held
                held = b""
        if held:
            yield held


@contextlib.asynccontextmanager
async def running_proxy(proxy: Proxy, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Run *proxy* on a free port of the loopback interface, with TLS or without."""
    server = await asyncio.start_server(proxy.serve_one, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    proxy.base_url = f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
    try:
        yield proxy
    finally:
        server.close()
