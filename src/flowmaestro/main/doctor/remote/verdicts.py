"""What it means how a stream's frames came, or did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.main.doctor.remote.reading import StreamReading

PATIENCE_SECONDS = 10.0
"""How long what is in the log may take to come out of the stream, by default."""
LATE_SECONDS = 1.0
SILENCE_SECONDS = 45.0
"""After so long without a sign of life clients take a stream for broken."""
_NO_BUFFERING = (
    "let the proxy not buffer this path: proxy_buffering off (nginx), flush_interval -1 (Caddy)"
)


def lateness(stream: StreamReading) -> float:
    """Return by how many seconds more the slowest frame came late than the fastest, of those that
    were sent while the stream was open. What the two clocks differ by does not count."""
    opened = next((arrival.sent for arrival in stream.arrivals if arrival.number == 0), None)
    late = [
        arrival.came - arrival.sent
        for arrival in stream.arrivals
        if arrival.number > 0 and arrival.sent is not None and arrival.sent >= (opened or 0)
    ]
    return max(late) - min(late) if late else 0.0


def buffering_finding(late_seconds: float) -> Finding:
    """Return what it means that every frame came while the execution stood still, the slowest so
    much later than the fastest."""
    if late_seconds > LATE_SECONDS:
        return warning(
            "stream.buffering",
            f"frames come, but up to {late_seconds:.1f} seconds late",
            _NO_BUFFERING,
        )
    late_ms = max(1, round(late_seconds * 1000))
    return ok("stream.buffering", f"each frame came at once (within {late_ms} ms)")


def held_back_finding(stream: StreamReading, what: str, patience_seconds: float) -> Finding:
    """Return that of *what*, which is in the log, not all has come out of the stream."""
    came = sum(1 for arrival in stream.arrivals if arrival.number)
    return problem(
        "stream.buffering",
        f"frames are held back: of {what}, {came or 'nothing'} had come after "
        f"{patience_seconds:g} seconds",
        _NO_BUFFERING,
    )


def compression_findings(stream: StreamReading) -> Iterator[Finding]:
    """Yield whether the response is compressed, if there is one."""
    if stream.status is None:
        return
    encoding = stream.response_headers.get("content-encoding", "identity")
    if encoding != "identity":
        yield warning(
            "stream.compression",
            f"something in between compresses streams ({encoding}), which may hold frames back",
            "take text/event-stream out of what it compresses",
        )
        return
    yield ok("stream.compression", "none")


def idle_finding(
    ended_after: float | None, heartbeats: Sequence[float], wait_seconds: float
) -> Finding:
    """Return what became of a stream in which nothing happened for *wait_seconds*.

    Args:
        ended_after: after how many seconds it was over; ``None``: it is not.
        heartbeats: when they came, in seconds.
        wait_seconds: how long it was looked at.
    """
    check = "stream.idle"
    if ended_after is not None:
        return problem(
            check,
            f"it was cut after {ended_after:.1f} seconds",
            "raise the proxy's read timeout above FLOWMAESTRO_HEARTBEAT_SECONDS "
            "(proxy_read_timeout 1h in nginx)",
        )
    if not heartbeats and wait_seconds > SILENCE_SECONDS:
        return problem(
            check,
            f"no heartbeat came in {wait_seconds:g} seconds",
            "let the proxy pass comment lines on at once; clients need one every "
            f"{SILENCE_SECONDS:g} seconds",
        )
    gap = max((after - before for before, after in pairwise(heartbeats)), default=0.0)
    if gap > SILENCE_SECONDS:
        return problem(
            check,
            f"heartbeats came up to {gap:.0f} seconds apart",
            "set FLOWMAESTRO_HEARTBEAT_SECONDS lower, and let the proxy not buffer this path",
        )
    return ok(
        check, f"it was open for {wait_seconds:g} seconds more, with {len(heartbeats)} heartbeats"
    )
