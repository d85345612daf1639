"""Are a stream's frames held back, compressed or cut on their way, and does the cursor arrive.

Buffering is found out by what was caused, not by how long it took: an execution starts a few nodes
and then stands still, with its stream open. What its log holds by then must come out of the stream
while nothing more happens. A proxy that waits for more, or for the end, shows itself by waiting.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from flowmaestro.client import FlowMaestroClient, FlowMaestroError, InsufficientScope
from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.main.doctor.remote.probe import Probe, running_probe
from flowmaestro.main.doctor.remote.reading import StreamReading
from flowmaestro.main.doctor.remote.verdicts import (
    PATIENCE_SECONDS,
    SILENCE_SECONDS,
    buffering_finding,
    compression_findings,
    held_back_finding,
    idle_finding,
    lateness,
)

_SCOPES = "workflows:read, workflows:write, workflows:execute, executions:read, executions:cancel"


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
            running = next(iter(client.executions.list(status="running", per_page=1)), None)
            try:
                with running_probe(client, api_key, hold_seconds=hold_seconds) as probe:
                    yield from _check_probe(probe, wait_seconds, patience_seconds)
            except InsufficientScope as error:
                if running is None:
                    yield _not_allowed(error, ", and nothing runs")
                else:
                    probe = Probe(running.id, client.base_url, api_key)
                    yield from _check_running(probe, patience_seconds)
    except InsufficientScope as error:
        yield _not_allowed(error)
    except FlowMaestroError as error:
        yield problem(check, f"{error}".rstrip("."), "mend that, and run this again")


def _not_allowed(error: InsufficientScope, besides: str = "") -> Finding:
    return warning(
        "stream",
        f"not looked at: {error.message.rstrip('.')}{besides}",
        f"use a key with {_SCOPES}",
    )


def _check_running(probe: Probe, patience_seconds: float) -> Iterator[Finding]:
    """Look at the stream of an execution that runs anyway, with a key that may not start one."""
    with _open(probe) as stream:
        stream.wait_for(lambda: bool(stream.arrivals) or stream.over, patience_seconds)
        if stream.arrivals and not stream.over:
            yield ok(
                "stream.buffering", f"the first frame of {probe.execution_id} came while it runs"
            )
        elif not stream.over:
            yield held_back_finding(stream, "its first frame", patience_seconds)
        else:
            yield warning(
                "stream",
                f"{probe.execution_id}, which was to be looked at, has ended meanwhile",
                f"run this again, or with a key with {_SCOPES}",
            )
            return
        yield from compression_findings(stream)
    yield from _cursor(probe)


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
            yield held_back_finding(stream, f"{expected} events of a log", patience_seconds)
        yield from compression_findings(stream)
        yield from _cursor(probe)
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


def _cursor(probe: Probe) -> Iterator[Finding]:
    """Send a cursor that the server must refuse: if it does not, it has not seen it."""
    check = "stream.cursor"
    headers = {"Accept": "text/event-stream", "X-API-Key": probe.api_key}
    try:
        with (
            httpx2.Client(timeout=PATIENCE_SECONDS) as http,
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
    stream.wait_for(lambda: stream.over, wait_seconds)
    return idle_finding(stream.ended_after, stream.heartbeats, wait_seconds)
