"""From samples to percentiles."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fanout.readers import Samples

PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def percentiles(latencies_ns: Sequence[int], prefix: str) -> dict[str, float]:
    """Return the percentiles in milliseconds, under names such as ``emit_p99_ms``."""
    if not latencies_ns:
        return {}
    ordered = sorted(latencies_ns)
    last = len(ordered) - 1
    return {
        f"{prefix}_{name}_ms": ordered[min(last, int(share * len(ordered)))] / 1e6
        for name, share in PERCENTILES.items()
    }


def from_emit(samples: Samples) -> list[int]:
    """Return how long after it came to be each event was at each reader, in nanoseconds."""
    return [
        received - sent for received, sent in zip(samples.received_ns, samples.sent_ns, strict=True)
    ]


def from_commit(samples: Samples, commits: Path, topics: int) -> list[int]:
    """Return how long after its commit each event was at each reader, in nanoseconds.

    *commits* is the file that FlowMaestro's process wrote: topics, numbers and times in turn.
    """
    words = array("Q")
    words.frombytes(commits.read_bytes())
    committed = dict(zip(zip(words[0::3], words[1::3], strict=True), words[2::3], strict=True))
    return [
        received - committed[connection % topics, number]
        for connection, number, received in zip(
            samples.connections, samples.numbers, samples.received_ns, strict=True
        )
    ]
