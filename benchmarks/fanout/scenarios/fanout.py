"""One execution, many readers: what a delivered event costs the server, paced and flat out."""

from __future__ import annotations

from benchmarks.fanout.bench import MAX_SAMPLES, WARM_UP_SECONDS, Bench, Pace
from benchmarks.fanout.peers import Peer

MAIN_READERS = 1_000
"""All peers are measured with so many; with others only those that show how it scales."""
READERS = (1, 100, MAIN_READERS, 5_000)
SCALING = ("flowmaestro", "bare", "nchan")
DELIVERIES_PER_SECOND = 80_000
"""What is aimed at: a third or so of a core for the bare loop."""
MAX_EVENTS_PER_SECOND = 250
"""Timers of event loops have milliseconds: a faster schedule would measure their rounding."""
PACED_SECONDS = 1.5
FLAT_OUT_SECONDS = 1.0
PAUSE_WINDOW = 500


def pace_for(readers: int) -> float:
    """Return how many events a second make about the same work for any number of readers."""
    return min(MAX_EVENTS_PER_SECOND, DELIVERIES_PER_SECOND / readers)


def run(bench: Bench) -> None:
    """Measure every peer with every number of readers, the peers in turn."""
    for round_ in range(bench.rounds):
        for readers in (100,) if bench.quick else READERS:
            everyone = readers == MAIN_READERS or bench.quick
            for peer in bench.peers if everyone else bench.among(*SCALING):
                with bench.attempt(f"fanout, {readers} readers, {peer.name}"):
                    measure(bench, peer, readers, round_)


def measure(bench: Bench, peer: Peer, readers: int, round_: int) -> None:
    per_second = pace_for(readers)
    share = 0.25 if bench.quick else 1.0
    paced = Pace(PACED_SECONDS * share, per_second, window=PAUSE_WINDOW)
    samples = min(MAX_SAMPLES, round(paced.seconds * per_second * readers * 1.1) + 1000)
    with bench.server(peer) as server, server.open(readers, samples=samples) as streams:
        server.warm_up(streams, readers, Pace(WARM_UP_SECONDS, per_second))
        figures = server.emit(streams, readers, paced)
        figures |= server.latencies(streams)
        bench.add("fanout", peer, round_, readers=readers, mode="paced", **figures)
        flat = server.emit(streams, readers, Pace(FLAT_OUT_SECONDS * share))
        bench.add("fanout", peer, round_, readers=readers, mode="flat out", **flat)
    bench.tell(
        f"fanout  round {round_ + 1}  {readers:>5} readers  {peer.name:18}"
        f"{figures['cpu_us_per_event']:8.2f} µs/event paced"
        f"{'' if figures['keeps_up'] else ' (cannot keep up)'}"
        f"{flat['cpu_us_per_event']:8.2f} flat out, {flat['events_per_s']:9,.0f}/s,"
        f" server {figures['server_busy']:4.0%} busy and {figures['server_waiting']:4.0%} waiting,"
        f" generator {figures['generator_busy']:4.0%}, {flat['generator_busy']:4.0%} flat out"
    )
