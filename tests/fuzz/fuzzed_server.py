"""A server in a process of its own that is fuzzed, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import SERVE, ServerProcess

PATIENCE_SECONDS = 60.0
MEMORY_GROWTH_MIB = 300
"""What the process may have gained by all of one part: more than what caches and the allocator keep
after the largest outputs there may be, and little of what a bomb that went off would take."""
DATABASE_CONNECTIONS = 30
"""How many files of the database may have been opened on the way: connections are kept."""

_SERVE_WITHOUT_LANE = f"""
from flowmaestro.api.stream.takeover import Takeover
Takeover.take = lambda self: None
{SERVE}
"""

TERMINAL_STATUSES = frozenset({"completed", "failed", "cancelled"})


@dataclass
class FuzzedServer:
    """The server under attack."""

    process: ServerProcess
    key: str
    """A key for everything."""
    powerless_key: str
    """A key without any scope."""

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.process.base_url.removeprefix("http://").split(":")
        return host, int(port)

    def client(self) -> httpx2.Client:
        """Return a client with the key for everything."""
        return httpx2.Client(
            base_url=self.process.base_url,
            headers={"X-API-Key": self.key},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        )

    def descriptors(self, kind: str = "") -> int:
        """How many descriptors the process has open, of a *kind* such as ``socket:``."""
        found = 0
        for descriptor in Path(f"/proc/{self.process.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found += str(descriptor.readlink()).startswith(kind)
        return found

    def memory_mib(self) -> float:
        """How much memory the process has, in MiB."""
        status = Path(f"/proc/{self.process.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def gauge(self, name: str) -> float:
        """Return what the server's own metrics say."""
        with self.client() as client:
            text = client.get("/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        )

    def faults(self) -> list[str]:
        """The lines of its log that tell of a failure, and those that are no log lines."""
        return [line for line in self.process.log.splitlines() if _is_fault(line)]


@dataclass(frozen=True)
class _Holdings:
    """What a process holds."""

    descriptors: int
    sockets: int
    memory_mib: float

    @classmethod
    def of(cls, server: FuzzedServer) -> _Holdings:
        return cls(server.descriptors(), server.descriptors("socket:"), server.memory_mib())


def _is_fault(line: str) -> bool:
    try:
        record: Any = json.loads(line)
    except ValueError:
        return True  # a traceback, or something else that nobody meant to write
    return record["level"] in ("error", "critical") or "exception" in record


@contextlib.contextmanager
def fuzzed_server(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    lane: bool = True,
) -> Iterator[FuzzedServer]:
    """Run a server, and check at the end of the block that it took no harm.

    Without the *lane* its streams go through uvicorn, as they do where it cannot be had.
    """
    settings = {
        "FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS": "0",
        # By its second one, a stream notices that its client has left behind unread requests.
        "FLOWMAESTRO_HEARTBEAT_SECONDS": "1",
        **(environment or {}),
    }
    process = ServerProcess(folder, settings, program=SERVE if lane else _SERVE_WITHOUT_LANE)
    try:
        process.start()
        key = asyncio.run(process.new_key())
        powerless = asyncio.run(process.new_key(scopes=frozenset()))
        server = FuzzedServer(process, key, powerless)
        _warm_up(server)
        before = _Holdings.of(server)
        yield server
        _check(server, before)
        assert process.stop() == 0
    finally:
        if process.process.poll() is None:
            process.kill()


def _warm_up(server: FuzzedServer) -> None:
    """Let it open and import what it needs, so that what it has afterwards can be compared."""
    definition = {"name": "warm", "nodes": {"t": {"type": "transform", "config": {"value": 1}}}}
    with server.client() as client:
        workflow_id = client.post("/v1/workflows", json=definition).json()["data"]["id"]
        started = client.post(f"/v1/workflows/{workflow_id}/execute")
        assert client.get(started.json()["data"]["events_url"]).status_code in (200, 204)
        for path in ("/metrics", "/openapi.json", "/docs", "/v1/workflows", "/v1/executions"):
            assert client.get(path).status_code == 200


def _check(server: FuzzedServer, before: _Holdings) -> None:
    with server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/workflows").status_code == 200
    _settles(lambda: server.descriptors("socket:") <= before.sockets, "connections are left over")
    assert server.descriptors() <= before.descriptors + DATABASE_CONNECTIONS
    for gauge in ("flowmaestro_streams_level", "flowmaestro_streams_behind"):
        _settles(partial(_is_zero, server, gauge), f"{gauge} does not return to 0")
    gained_mib = server.memory_mib() - before.memory_mib
    assert gained_mib < MEMORY_GROWTH_MIB
    assert not server.faults(), "\n".join(server.faults()[:20])


def _is_zero(server: FuzzedServer, gauge: str) -> bool:
    return server.gauge(gauge) == 0


def _settles(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until *holds*: closing a connection takes the server a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def finish(client: httpx2.Client, events_url: str) -> dict[str, Any]:
    """Follow an execution to its end, and return its last event."""
    last: dict[str, Any] = {}
    cursor = 0
    while True:
        page = client.get(
            events_url, params={"follow": "false", "wait": 30, "last_event_id": cursor}
        )
        assert page.status_code == 200, page.text
        found = page.json()
        last = found["data"][-1] if found["data"] else last
        cursor = found["next_cursor"]
        if found["done"]:
            return last
