"""Streams over real sockets, through everything that breaks them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flowmaestro.client import (
    AsyncFlowMaestroClient,
    ConnectionFailed,
    CursorExpired,
    DeadlineExceeded,
    FlowMaestroClient,
    InvalidAPIKey,
    Reconnecting,
    StreamEvent,
    StreamProtocolError,
    StreamStalled,
)
from flowmaestro.events import HEARTBEAT, LoggedEvent
from tests.support.recorded_events import cancelled, frames, node_log, opening, short_log
from tests.support.scripted_server import (
    Answer,
    Request,
    Script,
    ScriptedServer,
    failure,
    in_order,
    response,
    scripted_server,
    stream,
    success,
    unused_url,
)
from tests.support.sdk_shells import KEY, QUICK, Shell

LOG = short_log()
ALL = list(range(1, len(LOG) + 1))


def whole(after: int = 0, *, chunked: bool = True) -> Answer:
    return stream(opening(LOG), *frames(LOG, after), chunked=chunked)


OPEN_ENDED = Answer(whole().pieces[:4], "stall")
"""A stream of two events that says no more."""


def resuming(request: Request) -> Answer:
    """Answer as a healthy server: what is after the cursor, 204 at the end."""
    cursor = int(request.headers.get("last-event-id", 0))
    return whole(cursor) if cursor < len(LOG) else response(204)


@contextmanager
def broken_first(answer: Answer) -> Iterator[ScriptedServer]:
    """Run a server whose first answer is *answer*, and that is healthy from then on."""
    with scripted_server(first(answer, then=resuming)) as server:
        yield server


def first(answer: Answer, *, then: Script) -> Script:
    remaining = [answer]
    return lambda request: remaining.pop() if remaining else then(request)


def numbers(events: list[StreamEvent]) -> list[int | None]:
    return [event.number for event in events]


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until close"])
def test_a_whole_stream(shell: Shell, chunked: bool) -> None:
    with scripted_server(whole(chunked=chunked)) as server:
        events = shell.stream(server.url)
    assert numbers(events) == ALL
    assert [event.model_dump() for event in events] == [event.model_dump() for event in LOG]
    [request] = server.requests
    assert request.path == "/api/v1/executions/exec_01jx/events"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"
    assert "last-event-id" not in request.headers


def test_cursor_types_and_include_are_sent(shell: Shell) -> None:
    with scripted_server(resuming) as server:
        events = shell.stream(
            server.url, last_event_id=2, types=["node:completed"], include=["node:log"]
        )
    assert numbers(events) == [3, 4]
    [request] = server.requests
    assert request.headers["last-event-id"] == "2"
    assert request.query == {"types": "node:completed", "include": "node:log"}


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until close"])
def test_a_cut_after_any_byte_loses_and_repeats_nothing(shell: Shell, chunked: bool) -> None:
    log: list[LoggedEvent] = [node_log("ü"), cancelled()]  # short: there are two streams per byte
    answer = stream(opening(log), *frames(log), chunked=chunked)

    def healthy(request: Request) -> Answer:
        cursor = int(request.headers.get("last-event-id", 0))
        return stream(opening(log), *frames(log, cursor)) if cursor < 2 else response(204)

    with scripted_server(answer) as server:
        for length in range(0, len(answer.data), 1 if chunked else 5):
            server.script = first(answer.cut(length), then=healthy)
            assert numbers(shell.stream(server.url)) == [1, 2], f"cut after {length} bytes"


def test_a_reset_loses_and_repeats_nothing(shell: Shell) -> None:
    with scripted_server(resuming) as server:
        for length in range(0, len(whole().data), 97):
            server.script = first(whole().cut(length, "reset"), then=resuming)
            assert numbers(shell.stream(server.url)) == ALL


def test_bytes_may_trickle(shell: Shell) -> None:
    with scripted_server(whole().trickled()) as server:
        assert numbers(shell.stream(server.url)) == ALL


def test_characters_may_be_split_anywhere(shell: Shell) -> None:
    answer = whole()
    positions = [at for at, byte in enumerate(answer.data) if byte >= 0x80]
    assert len(positions) > 10
    with scripted_server(answer) as server:
        for position in positions:
            server.script = in_order(answer.split(position))
            assert shell.stream(server.url)[2].outputs == {"text": "Grüße, 世界 🎉"}


def test_silence_is_a_disconnect(shell: Shell) -> None:
    silent = Answer(stream(opening(LOG), *frames(LOG)[:2], HEARTBEAT).pieces[:-1], "stall")
    with broken_first(silent) as server:
        assert numbers(shell.stream(server.url, client_stall_seconds=0.1)) == ALL
    assert server.requests[1].headers["last-event-id"] == "2"


def test_silence_before_the_head_is_a_disconnect(shell: Shell) -> None:
    with broken_first(Answer([], "stall")) as server:
        assert numbers(shell.stream(server.url, client_stall_seconds=0.1)) == ALL


def test_endless_silence_raises_when_reconnects_are_limited(shell: Shell) -> None:
    silent = Answer(stream(opening(LOG)).pieces[:-1], "stall")
    with scripted_server(silent) as server, pytest.raises(StreamStalled):
        shell.stream(server.url, client_stall_seconds=0.05, max_reconnects=1)
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_errors_that_pass_are_waited_out(shell: Shell, status: int) -> None:
    with broken_first(failure(status, "service_unavailable", retry_after="0")) as server:
        assert numbers(shell.stream(server.url)) == ALL


def test_204_ends_it(shell: Shell) -> None:
    with scripted_server(resuming) as server:
        assert shell.stream(server.url, last_event_id=4) == []
    assert len(server.requests) == 1


def test_410_raises(shell: Shell) -> None:
    with (
        scripted_server(failure(410, "cursor_expired", "Gone.")) as server,
        pytest.raises(CursorExpired, match="Gone"),
    ):
        shell.stream(server.url, last_event_id=2)
    assert len(server.requests) == 1


def test_a_key_that_dies_between_raises(shell: Shell) -> None:
    answers = in_order(
        whole().cut(len(whole().data) - 100), failure(401, "invalid_api_key", "No such key.")
    )
    with scripted_server(answers) as server, pytest.raises(InvalidAPIKey) as caught:
        shell.stream(server.url)
    assert caught.value.request_id == "req_1"
    assert KEY not in str(caught.value)


def test_garbage_once_is_a_disconnect(shell: Shell) -> None:
    garbage = stream(opening(LOG), frames(LOG)[0], b"id: 2\ndata: {\n\n")
    with broken_first(garbage) as server:
        assert numbers(shell.stream(server.url)) == ALL


def test_garbage_twice_raises(shell: Shell) -> None:
    garbage = stream(opening(LOG), b"id: 2\ndata: {\n\n")
    with scripted_server(garbage) as server, pytest.raises(StreamProtocolError):
        shell.stream(server.url)


def test_bytes_that_are_no_http_raise_when_reconnects_are_limited(shell: Shell) -> None:
    with scripted_server(Answer([b"\x00\x01\x02 hello\r\n\r\n"])) as server:  # noqa: SIM117
        with pytest.raises(ConnectionFailed):
            shell.stream(server.url, max_reconnects=1)


def test_nobody_listening_raises_soon_and_names_the_server(shell: Shell) -> None:
    url = unused_url()
    with pytest.raises(ConnectionFailed, match=url) as caught:
        shell.stream(url)
    assert not caught.value.sent


def test_break_frees_the_connection(shell: Shell) -> None:
    with scripted_server(OPEN_ENDED) as server:
        assert numbers(shell.stream(server.url, stop_after=2)) == [1, 2]
        assert server.wait_until(lambda: server.open_connections == 0)


def test_on_reconnect_is_told(shell: Shell) -> None:
    told: list[Reconnecting] = []
    with broken_first(whole().cut(len(whole().data) - 10)) as server:
        shell.stream(server.url, on_reconnect=told.append)
    assert [notice.last_event_id for notice in told] == [3]


def test_the_deadline_holds_against_heartbeats(shell: Shell) -> None:
    beating = Answer(
        [*stream(opening(LOG)).pieces[:-1], *[b"d\r\n" + HEARTBEAT + b"\r\n"]], "stall"
    )
    with scripted_server(beating) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            shell.stream(server.url, timeout_seconds=0.2)
        assert time.monotonic() - began < 5


def test_wait_for_completion_returns_the_execution(shell: Shell) -> None:
    def script(request: Request) -> Answer:
        if request.path.endswith("/events"):
            return stream(opening(LOG), frames(LOG)[-1])
        return success(EXECUTION)

    with scripted_server(script) as server:
        assert shell.wait(server.url).status == "completed"
    assert server.requests[0].query == {"types": "execution:completed"}


def test_wait_for_completion_of_a_trimmed_log(shell: Shell) -> None:
    answers = in_order(failure(410, "cursor_expired"), success(EXECUTION))
    with scripted_server(answers) as server:
        assert shell.wait(server.url).status == "completed"


def test_wait_for_completion_has_a_timeout(shell: Shell) -> None:
    silent = Answer(stream(opening(LOG)).pieces[:-1], "stall")
    with scripted_server(silent) as server, pytest.raises(DeadlineExceeded):
        shell.wait(server.url, timeout_seconds=0.1)


EXECUTION = {
    "id": "exec_01jx",
    "workflow_id": "wf_greet",
    "workflow_name": "Greet",
    "status": "completed",
    "inputs": {},
    "outputs": {"text": "Grüße"},
    "error": None,
    "error_details": None,
    "created_at": "2026-01-02T03:04:05.678Z",
    "started_at": "2026-01-02T03:04:05.678Z",
    "completed_at": "2026-01-02T03:04:06.178Z",
    "duration_ms": 500,
}


def test_sync_break_frees_the_connection_before_the_client_is_closed() -> None:
    with (
        scripted_server(OPEN_ENDED) as server,
        FlowMaestroClient(KEY, base_url=server.url) as client,
    ):
        gc.disable()  # it must not take a collection
        try:
            for _event in client.executions.stream("exec_01jx"):
                break
            assert server.wait_until(lambda: server.open_connections == 0)
        finally:
            gc.enable()


async def test_async_break_frees_the_connection_before_the_client_is_closed() -> None:
    with scripted_server(OPEN_ENDED) as server:
        async with AsyncFlowMaestroClient(KEY, base_url=server.url) as client:
            gc.disable()
            try:
                async for _event in client.executions.stream("exec_01jx"):
                    break
                closed = asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)
                assert await closed
            finally:
                gc.enable()


def test_close_from_another_thread_ends_a_blocked_iteration() -> None:
    received: list[int | None] = []
    second = threading.Event()
    with (
        scripted_server(OPEN_ENDED) as server,
        FlowMaestroClient(KEY, base_url=server.url) as client,
    ):
        events = client.executions.stream("exec_01jx")

        def follow() -> None:
            for event in events:
                received.append(event.number)
                if event.number == 2:
                    second.set()

        thread = threading.Thread(target=follow)
        thread.start()
        assert second.wait(10)
        events.close()
        thread.join(10)
        assert not thread.is_alive()
        assert received == [1, 2]
        assert events.last_event_id == 2
        assert server.wait_until(lambda: server.open_connections == 0)


def test_close_from_another_thread_ends_a_wait_to_reconnect() -> None:
    waiting = threading.Event()
    unavailable = failure(503, "service_unavailable", retry_after="100")
    with (
        scripted_server(unavailable) as server,
        FlowMaestroClient(KEY, base_url=server.url) as client,
    ):
        events = client.executions.stream("exec_01jx", on_reconnect=lambda _: waiting.set())
        thread = threading.Thread(target=lambda: list(events))
        thread.start()
        assert waiting.wait(10)
        events.close()
        thread.join(10)
        assert not thread.is_alive()


async def test_aclose_from_another_task_ends_a_blocked_iteration() -> None:
    received: list[int | None] = []
    second = asyncio.Event()
    with scripted_server(OPEN_ENDED) as server:
        async with AsyncFlowMaestroClient(KEY, base_url=server.url) as client:
            events = client.executions.stream("exec_01jx")

            async def follow() -> None:
                async for event in events:
                    received.append(event.number)
                    if event.number == 2:
                        second.set()

            task = asyncio.create_task(follow())
            async with asyncio.timeout(10):
                await second.wait()
                await events.aclose()
                await task
    assert received == [1, 2]


async def test_cancelling_the_task_frees_the_connection() -> None:
    second = asyncio.Event()
    with scripted_server(OPEN_ENDED) as server:
        async with AsyncFlowMaestroClient(KEY, base_url=server.url) as client:

            async def follow() -> None:
                async for event in client.executions.stream("exec_01jx"):
                    if event.number == 2:
                        second.set()

            task = asyncio.create_task(follow())
            async with asyncio.timeout(10):
                await second.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)


async def test_many_streams_share_one_client() -> None:
    with scripted_server(resuming) as server:
        async with AsyncFlowMaestroClient(KEY, base_url=server.url, backoff=QUICK) as client:

            async def follow() -> list[int | None]:
                return [event.number async for event in client.executions.stream("exec_01jx")]

            results = await asyncio.gather(*(follow() for _ in range(120)))
    assert results == [ALL] * 120
