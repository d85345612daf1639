"""Many executions with one reader each: events a second, then latency at half of that.

The rate is what one core brings to its readers when each execution has one event under way: it is
emitted, is durable, and the next one follows. FlowMaestro goes first in each round, and the others
are paced at half of *its* rate.
"""

from __future__ import annotations

from benchmarks.fanout.bench import MAX_SAMPLES, WARM_UP_SECONDS, Bench, Pace
from benchmarks.fanout.peers import Peer

EXECUTIONS = 1_000
PEERS = ("flowmaestro", "bare", "nchan")
SECONDS = 2.0
BURST = 10


def run(bench: Bench) -> None:
    """Measure the peers in turn."""
    for round_ in range(bench.rounds):
        half = 0.0
        for peer in bench.among(*PEERS):
            with bench.attempt(f"many, {peer.name}"):
                half = measure(bench, peer, round_, half)


def measure(bench: Bench, peer: Peer, round_: int, half: float) -> float:
    """Measure one peer; *half* is the pace, or 0 for half of its own rate. Return the pace."""
    executions = 50 if bench.quick else EXECUTIONS
    seconds = SECONDS * (0.25 if bench.quick else 1.0)
    with (
        bench.server(peer, executions) as server,
        server.open(executions, samples=MAX_SAMPLES) as streams,
    ):
        server.warm_up(streams, executions, Pace(WARM_UP_SECONDS, window=1))
        single = server.emit(streams, executions, Pace(seconds, window=1))
        bench.add("many", peer, round_, mode="one at a time", **single)
        burst = server.emit(streams, executions, Pace(seconds, window=BURST))
        bench.add("many", peer, round_, mode="bursts", **burst)
        half = half or single["events_per_s"] / 2
        paced = server.emit(streams, executions, Pace(seconds, half, window=100))
        paced |= server.latencies(streams)
        bench.add("many", peer, round_, mode="half", **paced)
    latency = "commit" if "commit_p99_ms" in paced else "emit"
    bench.tell(
        f"many    round {round_ + 1}  {peer.name:18}"
        f"{single['events_per_s']:9,.0f} events/s, in bursts {burst['events_per_s']:9,.0f};"
        f" at {half:,.0f}/s {latency} to reader"
        f" p50 {paced[f'{latency}_p50_ms']:.2f} ms, p99 {paced[f'{latency}_p99_ms']:.2f} ms,"
        f" {paced['cpu_us_per_event']:.1f} µs/event, generator {single['generator_busy']:.0%}"
    )
    return half
