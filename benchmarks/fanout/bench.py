"""What the scenarios share: starting a peer, opening readers, and measuring while it emits."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fanout.latency import from_commit, from_emit, percentiles
from benchmarks.fanout.machine import CpuTime
from benchmarks.fanout.peers import Peer, Place
from benchmarks.fanout.processes import Process, ProcessFailed, request_head
from benchmarks.fanout.readers import EventsLost, Readers

SERVER_CORE = 0
GENERATOR_CORE = 1
MAX_SAMPLES = 4_000_000
DELIVERY_SECONDS = 30.0
"""How long the readers may take to get what was emitted."""
KEEPS_UP = 0.98
"""The part of a schedule that a peer must emit to count as keeping up with it."""
WARM_UP_SECONDS = 0.3

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """How events are emitted."""

    seconds: float
    per_second: float = 0.0
    """Of all topics together; 0 is flat out."""
    padding_bytes: int = 0
    window: int = 64
    """How many of a topic may wait for their commit; FlowMaestro's matter alone."""


@dataclass(slots=True)
class Server:
    """A peer's process that listens."""

    peer: Peer
    process: Process
    port: int
    pids: list[int]
    folder: Path
    generator: Path
    heads: list[str] = field(default_factory=list)

    @property
    def topics(self) -> int:
        return len(self.heads)

    def open(self, connections: int, *, samples: int = 0, short_path: bool = False) -> Readers:
        """Open so many streams, over all topics in turn."""
        return Readers.open(
            self.generator,
            self.folder,
            core=GENERATOR_CORE,
            port=self.port,
            heads=self.heads,
            connections=connections,
            check_ids=self.peer.numbers_ids,
            samples=samples,
            short_path=short_path,
        )

    def emit(self, readers: Readers, connections: int, pace: Pace) -> Figures:
        """Have events emitted, wait until every reader has them, and return what that took.

        Raises:
            EventsLost: some reader did not get each of them once and in order.
        """
        readers.reset()
        before = CpuTime.read(self.pids), CpuTime.read([readers.process.pid])
        begun_ns = time.monotonic_ns()
        emitted: int = self.process.ask(
            "emit", pace.seconds, pace.per_second, pace.padding_bytes, pace.window
        )["emitted"]
        expected = emitted * connections // self.topics
        count = readers.wait(expected, DELIVERY_SECONDS)
        if count.events != expected:
            raise EventsLost(
                f"{count.events} of {expected} came in the {DELIVERY_SECONDS:g} s after the last"
            )
        server = CpuTime.read(self.pids).since(before[0])
        generator = CpuTime.read([readers.process.pid]).since(before[1])
        watched_seconds = (time.monotonic_ns() - begun_ns) / 1e9
        seconds = (count.last_ns - begun_ns) / 1e9
        planned = round(pace.seconds * pace.per_second)
        return {
            "per_second": pace.per_second,
            "emitted": emitted,
            "events": count.events,
            "keeps_up": emitted >= KEEPS_UP * planned,
            "seconds": seconds,
            "events_per_s": count.events / seconds,
            "bytes_per_event": count.bytes / max(1, count.events),
            "cpu_us_per_event": 1e6 * server.used_seconds / max(1, count.events),
            "server_busy": server.used_seconds / watched_seconds,
            "server_waiting": server.waited_seconds / watched_seconds,
            "generator_busy": generator.used_seconds / watched_seconds,
            "generator_waiting": generator.waited_seconds / watched_seconds,
        }

    def latencies(self, readers: Readers) -> Figures:
        """Return the percentiles of what was sampled since the last ``emit``."""
        samples = readers.samples()
        figures = percentiles(from_emit(samples), "emit")
        if self.peer.name.startswith("flowmaestro"):
            commits = self.folder / "commits"
            self.process.ask("commits", commits)
            figures |= percentiles(from_commit(samples, commits, self.topics), "commit")
        return figures

    def warm_up(self, readers: Readers, connections: int, pace: Pace) -> None:
        """Have some events go to every reader before anything is measured."""
        time.sleep(0.2)  # a reader whose response has begun may not have joined its topic yet
        self.emit(readers, connections, pace)


@dataclass
class Bench:
    """One run of the whole."""

    folder: Path
    """For the databases: on a real disk, or what is durable costs nothing."""
    scratch: Path
    """For everything else: in memory, if that can be."""
    generator: Path
    peers: list[Peer]
    chosen: bool
    """Whether the peers were named, so that each scenario measures all of them."""
    rounds: int
    quick: bool
    results: list[Figures] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def among(self, *names: str) -> list[Peer]:
        """Return the peers that a scenario measures: those of *names*, or all that were chosen."""
        return [peer for peer in self.peers if self.chosen or peer.name in names]

    @contextmanager
    def server(self, peer: Peer, topics: int = 1) -> Iterator[Server]:
        """Run *peer* with so many topics on the server's core."""
        with tempfile.TemporaryDirectory(prefix="fanout-bench-", dir=self.folder) as name:
            folder = Path(name)
            command = peer.command(Place(folder, self.scratch, GENERATOR_CORE))
            with Process(command, core=SERVER_CORE, folder=folder) as process:
                ready = process.answer()
                server = Server(
                    peer, process, ready["port"], ready["pids"], self.scratch, self.generator
                )
                answer = process.ask("topics", topics)
                headers = answer.get("headers", {})
                server.heads = [request_head(path, headers) for path in answer["targets"]]
                yield server

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Go on with the rest when a measurement fails, and remember that it did."""
        try:
            yield
        except (ProcessFailed, EventsLost) as error:
            self.failures.append(f"{what}: {error}")
            self.tell(f"FAILED {what}: {error}")

    def add(self, scenario: str, peer: Peer, round_: int, **figures: Any) -> Figures:
        """Keep what was measured, and say so."""
        row = {"scenario": scenario, "peer": peer.name, "round": round_, **figures}
        self.results.append(row)
        return row

    def tell(self, text: str) -> None:
        """Say how far it is."""
        print(text, file=sys.stderr, flush=True)
