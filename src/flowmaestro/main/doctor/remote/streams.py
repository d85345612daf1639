"""Are a stream's frames held back, compressed or cut on their way, and does the cursor arrive.

Buffering is found out by what was caused, not by how long it took: an execution starts a few nodes
and then stands still, with its stream open. What its log holds by then must come out of the stream
while nothing more happens. A proxy that waits for more, or for the end, shows itself by waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import httpx2

from flowmaestro.client import FlowMaestroClient, FlowMaestroError, InsufficientScope
from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.main.doctor.remote.probe import Probe, running_probe
from flowmaestro.main.doctor.remote.reading import StreamReading

PATIENCE_SECONDS = 10.0
"""How long what is in the log may take to come out of the stream, by default."""
LATE_SECONDS = 1.0
SILENCE_SECONDS = 45.0
"""After so long without a sign of life clients take a stream for broken."""
_SCOPES = "workflows:read, workflows:write, workflows:execute, executions:read, executions:cancel"
_NO_BUFFERING = (
    "let the proxy not buffer this path: proxy_buffering off (nginx), flush_interval -1 (Caddy)"
)


def check_streams(
    base_url: str, api_key: str | None, *, wait_seconds: float, patience_seconds: float
) -> Iterator[Finding]:
    """Yield what there is to say of streams through *base_url*; see :func:`check_server`."""
    check = "stream"
    if not api_key:
        yield warning(
            check,
            "not looked at: there is no key to open one with",
            f"set FLOWMAESTRO_API_KEY to a key with {_SCOPES}",
        )
        return
    hold_seconds = 2 * patience_seconds + wait_seconds + 60
    try:
        with FlowMaestroClient(api_key, base_url=base_url) as client:
            try:
                with running_probe(client, api_key, hold_seconds=hold_seconds) as probe:
                    yield from _check_probe(probe, wait_seconds, patience_seconds)
            except InsufficientScope as error:
                yield from _check_running(client, api_key, error, patience_seconds)
    except FlowMaestroError as error:
        yield problem(check, f"{error}".rstrip("."), "mend that, and run this again")


def _check_running(
    client: FlowMaestroClient, api_key: str, refusal: InsufficientScope, patience_seconds: float
) -> Iterator[Finding]:
    """Look at the stream of an execution that runs anyway, with a key that may not start one."""
    running = next(iter(client.executions.list(status="running", per_page=1)), None)
    if running is None:
        yield warning(
            "stream",
            f"not looked at: {refusal.message.rstrip('.')}, and nothing runs",
            f"use a key with {_SCOPES}",
        )
        return
    probe = Probe(running.id, client.base_url, api_key)
    with _open(probe) as stream:
        stream.wait_for(lambda: bool(stream.arrivals) or stream.over, patience_seconds)
        if stream.arrivals and not stream.over:
            yield ok("stream.buffering", f"the first frame of {running.id} came while it runs")
        elif not stream.over:
            yield _held_back(stream, "its first frame", patience_seconds)
        yield from _compression(stream)
    yield from _cursor(probe, patience_seconds)


def _check_probe(probe: Probe, wait_seconds: float, patience_seconds: float) -> Iterator[Finding]:
    with _open(probe, silence_seconds=max(SILENCE_SECONDS, wait_seconds) + 30) as stream:
        expected = probe.wait_until_still()
        if expected is None:
            yield problem(
                "stream",
                f"{probe.execution_id}, started to be looked at, does not get on",
                "look whether the server has too much to do (flowmaestro_unfinished_executions)",
            )
            return
        stream.wait_for(lambda: stream.newest >= expected or stream.over, patience_seconds)
        if stream.newest >= expected:
            yield buffering_finding(lateness(stream))
        elif stream.status is not None and stream.status != 200:
            yield problem(
                "stream",
                f"opening one is answered with status {stream.status}",
                "check where the proxy sends this path",
            )
            return
        elif stream.over:
            yield problem(
                "stream.buffering",
                f"it ended after {stream.ended_after:.1f} seconds, while its execution runs"
                + (f": {stream.error}" if stream.error else ""),
                "raise the proxy's read timeout, and let it not buffer this path",
            )
        else:
            yield _held_back(stream, f"{expected} events of a log", patience_seconds)
        yield from _compression(stream)
        yield from _cursor(probe, patience_seconds)
        if wait_seconds and not stream.over:
            yield _idle(stream, wait_seconds)


def _open(probe: Probe, *, silence_seconds: float = SILENCE_SECONDS) -> StreamReading:
    # A browser offers compression, which our own clients do not.
    headers = {
        "Accept": "text/event-stream",
        "Accept-Encoding": "gzip",
        "Cache-Control": "no-cache",
        "X-API-Key": probe.api_key,
    }
    return StreamReading(probe.events_url, headers, silence_seconds=silence_seconds)


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


def _held_back(stream: StreamReading, what: str, patience_seconds: float) -> Finding:
    came = sum(1 for arrival in stream.arrivals if arrival.number)
    return problem(
        "stream.buffering",
        f"frames are held back: of {what}, {came or 'nothing'} had come after "
        f"{patience_seconds:g} seconds",
        _NO_BUFFERING,
    )


def _compression(stream: StreamReading) -> Iterator[Finding]:
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


def _cursor(probe: Probe, patience_seconds: float) -> Iterator[Finding]:
    """Send a cursor that the server must refuse: if it does not, it has not seen it."""
    check = "stream.cursor"
    headers = {"Accept": "text/event-stream", "X-API-Key": probe.api_key}
    try:
        with (
            httpx2.Client(timeout=patience_seconds) as http,
            http.stream(
                "GET", probe.events_url, headers={**headers, "Last-Event-ID": "doctor"}
            ) as response,
        ):
            status = response.status_code
    except httpx2.HTTPError as error:
        yield warning(
            check,
            f"whether Last-Event-ID arrives could not be found out: {type(error).__name__}",
            "mend the rest, and run this again",
        )
        return
    if status == 400:
        yield ok(check, "Last-Event-ID arrives")
    elif status == 200:
        yield problem(
            check,
            "Last-Event-ID does not arrive: who reconnects gets every event again",
            "let the proxy pass this request header on",
        )
    else:
        yield warning(
            check, f"a wrong Last-Event-ID is answered with status {status}", "check the proxy"
        )


def _idle(stream: StreamReading, wait_seconds: float) -> Finding:
    check = "stream.idle"
    stream.wait_for(lambda: stream.over, wait_seconds)
    if stream.over:
        return problem(
            check,
            f"it was cut after {stream.ended_after:.1f} seconds",
            "raise the proxy's read timeout above FLOWMAESTRO_HEARTBEAT_SECONDS "
            "(proxy_read_timeout 1h in nginx)",
        )
    beats = stream.heartbeats
    if not beats and wait_seconds > SILENCE_SECONDS:
        return problem(
            check,
            f"no heartbeat came in {wait_seconds:.0f} seconds",
            "let the proxy pass comment lines on at once; clients need one every "
            f"{SILENCE_SECONDS:.0f} seconds",
        )
    gaps = [after - before for before, after in pairwise(beats)]
    if gaps and max(gaps) > SILENCE_SECONDS:
        return problem(
            check,
            f"heartbeats came up to {max(gaps):.0f} seconds apart",
            "set FLOWMAESTRO_HEARTBEAT_SECONDS lower, and let the proxy not buffer this path",
        )
    return ok(check, f"it was open for {wait_seconds:g} seconds more, with {len(beats)} heartbeats")
