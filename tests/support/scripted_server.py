"""A loopback server that answers with scripted bytes, for clients that must survive anything.

It speaks no HTTP of its own: an answer is the bytes to send and what happens after them, so that it
can be cut, stalled or reset anywhere. It runs in a thread, so that blocking clients and other
processes can use it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Ending = Literal["close", "reset", "stall", "keep"]
"""After the bytes: close the connection, reset it, say nothing more, or wait for a next request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a response, in the pieces they are sent in."""

    pieces: Sequence[bytes]
    ending: Ending = "close"

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    def cut(self, length: int, ending: Ending = "close") -> Answer:
        """Return the same answer, broken off after its first *length* bytes."""
        return Answer([self.data[:length]], ending)

    def trickled(self) -> Answer:
        """Return the same answer, one byte at a time."""
        return Answer([bytes([byte]) for byte in self.data], self.ending)

    def split(self, position: int) -> Answer:
        """Return the same answer in two pieces."""
        return Answer([self.data[:position], self.data[position:]], self.ending)


def response(
    status: int,
    body: bytes = b"",
    *,
    media_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Return a whole response with a length."""
    fields = {"Content-Type": media_type, **(headers or {})}
    if status != 204:
        fields["Content-Length"] = str(len(body))
    return Answer([_head(status, fields) + body], "keep")


def success(data: Any, status: int = 200, **beside: Any) -> Answer:
    """Return an answer in the API's envelope."""
    meta = {"request_id": "req_1", "timestamp": "2026-01-02T03:04:05.678Z"}
    return response(status, json.dumps({"data": data, **beside, "meta": meta}).encode())


def failure(
    status: int, code: str, message: str = "It failed.", details: Any = None, **headers: str
) -> Answer:
    """Return an error in the API's envelope; ``retry_after="1"`` becomes ``Retry-After: 1``."""
    error = {"code": code, "message": message, "details": details}
    meta = {"request_id": "req_1", "timestamp": "2026-01-02T03:04:05.678Z"}
    fields = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return response(status, json.dumps({"error": error, "meta": meta}).encode(), headers=fields)


def stream(*frames: bytes, chunked: bool = True, ending: Ending = "keep") -> Answer:
    """Return an event stream of *frames* that ends cleanly."""
    fields = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform"}
    if not chunked:
        return Answer([_head(200, {**fields, "Connection": "close"}), *frames], "close")
    chunks = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames]
    head = _head(200, {**fields, "Transfer-Encoding": "chunked"})
    return Answer([head, *chunks, b"0\r\n\r\n"], ending)


def _head(status: int, fields: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {fields[name]}" for name in fields)]
    return "\r\n".join([*lines, "", ""]).encode()


Script = Callable[[Request], Answer]


def in_order(*answers: Answer) -> Script:
    """Return a script that gives each answer once, and the last one for ever after."""
    remaining = list(answers)
    return lambda _request: remaining.pop(0) if len(remaining) > 1 else remaining[0]


class ScriptedServer:
    """The running server; made by :func:`scripted_server`."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.url = ""
        self.open_connections = 0
        self._changed = threading.Condition()

    def wait_until(self, condition: Callable[[], bool], timeout_seconds: float = 10) -> bool:
        """Wait until *condition* holds; it is looked at when a connection or request comes or goes.

        Returns whether it held in time.
        """
        with self._changed:
            return self._changed.wait_for(condition, timeout_seconds)

    def _note(self, connections: int = 0, request: Request | None = None) -> None:
        with self._changed:
            self.open_connections += connections
            if request is not None:
                self.requests.append(request)
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._note(connections=1)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    request = await _read_request(reader)
                    self._note(request=request)
                    answer = self.script(request)
                    for piece in answer.pieces:
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0)
                    if answer.ending == "stall":
                        await reader.read()
                    if answer.ending != "keep":
                        if answer.ending == "reset":
                            _reset_on_close(writer)
                        return
        finally:
            writer.close()
            self._note(connections=-1)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _version = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Request(method, parts.path, query, headers, body)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def scripted_server(script: Script | Answer) -> Iterator[ScriptedServer]:
    """Run a server that answers with *script* on a free port of the loopback interface."""
    server = ScriptedServer(script if callable(script) else in_order(script))
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        started.set()
        await stop.wait()
        listening.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the scripted server did not start")
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def unused_url() -> str:
    """Return the address of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
