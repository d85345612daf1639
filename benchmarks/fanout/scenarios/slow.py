"""One reader among many stops: what that does to the others, and to the server's memory.

It stops in two ways: a connection that is not read any more, and a process that SIGSTOP stopped.
Events are of 8 KB and its path is short (a small receive buffer, segments of a network's
size), so that what the kernel takes in is full early in the measurement. When it goes on it must
get every event that it has missed, once and in order.
"""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack

from benchmarks.fanout.bench import DELIVERY_SECONDS, WARM_UP_SECONDS, Bench, Pace
from benchmarks.fanout.machine import memory_bytes
from benchmarks.fanout.peers import Peer

READERS = 1_000
PEERS = ("flowmaestro",)
ABLE = ("flowmaestro", "flowmaestro-plain", "nchan")
"""Who does not wait for a reader that stopped. The others do, as they are used here."""
WAYS = ("none", "not read", "SIGSTOP")
PADDING_BYTES = 7_900
PER_SECOND = 20
LATE_READERS = 20
SECONDS = 4.0


def run(bench: Bench) -> None:
    """Measure with nobody stopped and with one in each of the ways, in turn."""
    for round_ in range(bench.rounds):
        for peer in (peer for peer in bench.among(*PEERS) if peer.name in ABLE):
            for way in WAYS:
                with bench.attempt(f"slow, {peer.name}, {way}"):
                    measure(bench, peer, round_, way)


def measure(bench: Bench, peer: Peer, round_: int, way: str) -> None:
    others = 99 if bench.quick else READERS - 1
    seconds = SECONDS * (0.3 if bench.quick else 1.0)
    pace = Pace(seconds, PER_SECOND, PADDING_BYTES, window=500)
    samples = round(seconds * PER_SECOND * others * 1.1)
    with ExitStack() as stack:
        server = stack.enter_context(bench.server(peer))
        streams = stack.enter_context(server.open(others, samples=samples))
        one = stack.enter_context(server.open(1, short_path=True))
        warm_up = Pace(WARM_UP_SECONDS, PER_SECOND, PADDING_BYTES)
        server.warm_up(streams, others, warm_up)
        for _ in range(LATE_READERS):
            # These fall behind at once. So what the server reads the log with is there before.
            server.open(1).close()
        time.sleep(0.2)
        one.reset()
        if way == "SIGSTOP":
            one.process.send_signal(signal.SIGSTOP)
        elif way == "not read":
            one.freeze(0)
        resident, _ = memory_bytes(server.pids)
        figures = server.emit(streams, others, pace)
        figures["grown_bytes"] = memory_bytes(server.pids)[0] - resident
        figures |= server.latencies(streams)
        if way == "SIGSTOP":
            one.process.send_signal(signal.SIGCONT)
        elif way == "not read":
            one.thaw(0)
        late = one.wait(figures["emitted"], DELIVERY_SECONDS)
        figures["caught_up"] = late.events == figures["emitted"]
        bench.add("slow", peer, round_, readers=others + 1, way=way, **figures)
    bench.tell(
        f"slow    round {round_ + 1}  {way:9} {peer.name:18}"
        f"others' p50 {figures['emit_p50_ms']:.2f} ms, p99 {figures['emit_p99_ms']:.2f} ms,"
        f" grown {figures['grown_bytes'] / 1e6:.2f} MB, caught up: {figures['caught_up']}"
    )
