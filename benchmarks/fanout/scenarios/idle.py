"""Many idle streams: what each costs in memory, and how quickly they are opened.

The memory is what the server's resident set grows by from before the first of them to when all are
open and quiet. What the kernel holds for a socket is the same for every server and not in it. Some
streams are opened and closed before that, so that what is only ever allocated once is not counted.
"""

from __future__ import annotations

import time

from benchmarks.fanout.bench import Bench
from benchmarks.fanout.machine import CpuTime, memory_bytes
from benchmarks.fanout.peers import Peer

STREAMS = 10_000
WARM_UP_STREAMS = 200
EXECUTIONS = (1, 1_000)
"""FlowMaestro's streams are of one execution, and of many; the others know no such difference."""
MAX_ROUNDS = 3
SETTLE_SECONDS = 1.0
FILES_NEEDED = STREAMS + 500
PEERS = ("flowmaestro", "bare", "nchan", "node", "starlette")


def run(bench: Bench) -> None:
    """Measure the peers in turn."""
    for round_ in range(min(bench.rounds, MAX_ROUNDS)):
        for peer in bench.among(*PEERS):
            for executions in EXECUTIONS if peer.name.startswith("flowmaestro") else (1,):
                with bench.attempt(f"idle, {peer.name}"):
                    measure(bench, peer, round_, executions)


def measure(bench: Bench, peer: Peer, round_: int, executions: int) -> None:
    streams = 500 if bench.quick else STREAMS
    executions = min(executions, streams // 10)
    with bench.server(peer, executions) as server:
        server.open(min(WARM_UP_STREAMS, streams)).close()
        time.sleep(SETTLE_SECONDS)
        resident, share = memory_bytes(server.pids)
        before = CpuTime.read(server.pids)
        with server.open(streams) as opened:
            cpu = CpuTime.read(server.pids).since(before)
            time.sleep(SETTLE_SECONDS)
            resident_after, share_after = memory_bytes(server.pids)
            opened.wait(0, 0)  # all are still open
            figures = bench.add(
                "idle",
                peer,
                round_,
                streams=streams,
                executions=executions,
                resident_bytes_per_stream=(resident_after - resident) / streams,
                share_bytes_per_stream=(share_after - share) / streams,
                opened_per_s=streams / opened.open_seconds,
                cpu_us_per_open=1e6 * cpu.used_seconds / streams,
                generator_busy=opened.open_cpu_seconds / opened.open_seconds,
            )
    bench.tell(
        f"idle    round {round_ + 1}  {streams:>6} streams of {executions:>4}  {peer.name:18}"
        f"{figures['resident_bytes_per_stream'] / 1000:7.2f} KB each"
        f" (share {figures['share_bytes_per_stream'] / 1000:.2f}),"
        f" {figures['opened_per_s']:7,.0f} opened/s, {figures['cpu_us_per_open']:.0f} µs CPU each,"
        f" generator {figures['generator_busy']:.0%}"
    )
