"""How fast one reader gets a long log from a server, and what that costs the server.

    python benchmarks/replay.py [--events 100000] [--runs 5]

A server in a process of its own (uvicorn, uvloop, the real stream endpoint over a real SQLite log)
replays the log to this process, which reads a raw socket. The same bytes, read from a file and sent
through the same uvicorn, are the floor: the two take turns in the same run, and the ratio of their
medians is the figure to watch. CPU time is the server's, memory its resident set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flowmaestro.api.stream import Asker, stream_events
from flowmaestro.api.stream.protocol import StreamingHttpProtocol
from flowmaestro.events import ExecutionCompleted, LoggedEvent, NodeStarted
from flowmaestro.storage import LogEntry, NewExecution, Storage
from flowmaestro.streaming import Hub, Lane

EXECUTION_ID = "exec_replay"
READ_BYTES = 128 * 1024
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@dataclass(frozen=True)
class Services:
    hub: Hub
    lane: Lane
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True)
class Run:
    """One replay."""

    seconds: float
    cpu_seconds: float
    grown_bytes: int
    body: bytes


async def write_log(database: Path, events: int) -> None:
    """Store an execution whose log has so many events, the terminal one included."""
    async with await Storage.open(f"sqlite:///{database}") as storage:
        new = NewExecution(
            id=EXECUTION_ID,
            workspace="default",
            workflow_id="wf",
            workflow_name="Replay",
            definitions={},
            inputs={},
            created_at=MOMENT,
        )
        await storage.executions.create(new)
        left = events - 1
        while left:
            now = min(left, 5_000)
            await storage.log.append(EXECUTION_ID, [LogEntry(an_event()) for _ in range(now)])
            left -= now
        await storage.log.append(EXECUTION_ID, [LogEntry(the_end())])


def an_event() -> LoggedEvent:
    return NodeStarted(
        execution_id=EXECUTION_ID,
        timestamp=MOMENT,
        node_id="fetch_the_page",
        node_name="Fetch the page",
        node_type="http",
        attempt=1,
        started_at=MOMENT,
    )


def the_end() -> LoggedEvent:
    return ExecutionCompleted(
        execution_id=EXECUTION_ID,
        timestamp=MOMENT,
        outputs={},
        started_at=MOMENT,
        completed_at=MOMENT,
        duration_ms=1,
    )


async def serve(database: Path, copy: Path, listener: socket.socket) -> None:
    """Serve ``/log``, ``/file`` and ``/usage`` until killed."""
    storage = await Storage.open(f"sqlite:///{database}")
    hub = Hub(storage.log)
    services = Services(hub, Lane(hub))

    async def log(request: Request) -> Response:
        return await stream_events(request, EXECUTION_ID, Asker("default", "key_1"), services)

    async def file(_: Request) -> Response:
        return StreamingResponse(read_file(copy), media_type="text/event-stream")

    async def usage(_: Request) -> Response:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        return JSONResponse({"cpu_seconds": time.process_time(), "resident_bytes": resident})

    app = Starlette(routes=[Route("/log", log), Route("/file", file), Route("/usage", usage)])
    config = uvicorn.Config(app, http=StreamingHttpProtocol, log_level="warning", access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])


async def read_file(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb", buffering=0) as opened:
        while part := opened.read(READ_BYTES):
            yield part


def get(port: int, path: str) -> tuple[float, bytes]:
    """Return how long the response to a request took to arrive, and its body."""
    buffer = memoryview(bytearray(1024 * 1024))
    parts = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        started = time.perf_counter()
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()
        )
        while count := connection.recv_into(buffer):
            parts.append(bytes(buffer[:count]))
        seconds = time.perf_counter() - started
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return seconds, without_chunks(body) if b"chunked" in head else body


def without_chunks(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = body.index(b"\r\n", at)
        size = int(body[at:line_end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 4 + size


def measure(port: int, path: str) -> Run:
    before = json.loads(get(port, "/usage")[1])
    seconds, body = get(port, path)
    after = json.loads(get(port, "/usage")[1])
    return Run(
        seconds,
        after["cpu_seconds"] - before["cpu_seconds"],
        after["resident_bytes"] - before["resident_bytes"],
        body,
    )


def check(body: bytes, events: int) -> None:
    """Make sure that the replay was whole."""
    numbers = [
        int(frame[4 : frame.index(b"\n")])
        for frame in body.split(b"\n\n")
        if frame.startswith(b"id: ")
    ]
    assert numbers == list(range(1, events + 1)), "the replay was not whole"


def report(name: str, runs: list[Run], events: int) -> float:
    seconds = statistics.median(run.seconds for run in runs)
    cpu = statistics.median(run.cpu_seconds for run in runs)
    megabytes = len(runs[0].body) / 1e6
    grown = max(run.grown_bytes for run in runs)
    print(
        f"{name:8} {events / seconds:>10,.0f} events/s  {megabytes / seconds:>7,.0f} MB/s  "
        f"{cpu / events * 1e6:>6.2f} µs server CPU per event  "
        f"{grown / 1e6:>6.1f} MB grown at most"
    )
    return seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--events", type=int, default=100_000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        database, copy, descriptor = given.serve
        listener = socket.socket(fileno=int(descriptor))
        uvloop.run(serve(Path(database), Path(copy), listener))
        return
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
        database, copy = Path(folder, "replay.db"), Path(folder, "replay.bytes")
        asyncio.run(write_log(database, given.events))
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        descriptor = str(listener.fileno())
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(database), str(copy), descriptor],
            pass_fds=[listener.fileno()],
        )
        try:
            port = listener.getsockname()[1]
            copy.write_bytes(get(port, "/log")[1])
            get(port, "/file")
            replays, readings = [], []
            for _ in range(given.runs):
                replays.append(measure(port, "/log"))
                readings.append(measure(port, "/file"))
        finally:
            server.terminate()
            server.wait()
    for run in replays:
        check(run.body, given.events)
    size = len(replays[0].body) / given.events
    print(f"{given.events:,} events of {size:.0f} bytes, one reader, median of {given.runs} runs")
    replaying = report("log", replays, given.events)
    reading = report("file", readings, given.events)
    print(f"ratio    {replaying / reading:.1f} times as long as the bare file")


if __name__ == "__main__":
    main()
