from __future__ import annotations

import asyncio
import json

import pytest

from flowmaestro.events import Connected, decode_event
from flowmaestro.streaming import StreamingOptions
from tests.support.raw_http import request
from tests.support.streaming import OpenStage, Stage, until


async def test_a_stream_opens_with_connected_and_a_retry_and_no_number(stage: Stage) -> None:
    script = await stage.script(events=2)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        body = await response.read_until(b"\n\n")
        frame = body.split(b"\n\n")[0].decode().split("\n")
        assert frame[0] == "event: connected"
        assert 500 <= int(frame[1].removeprefix("retry: ")) <= 3000
        connected = decode_event(frame[2].removeprefix("data: "))
        assert isinstance(connected, Connected)
        assert connected.execution_id == script.execution_id
        assert connected.status == "pending"
        assert connected.last_event_id == 2
        assert len(frame) == 3


async def test_a_streams_headers_keep_proxies_from_holding_it_back(stage: Stage) -> None:
    script = await stage.script()
    async with await request(stage.port, f"/{script.execution_id}") as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["vary"] == "Accept"
        assert "content-length" not in response.headers
        assert "content-encoding" not in response.headers


async def test_without_a_cursor_the_whole_log_is_replayed_and_the_response_ends(
    stage: Stage,
) -> None:
    script = await stage.script(events=1200, finished=True)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        events = await response.events_until()
        assert [event.id for event in events[1:]] == [str(n) for n in range(1, 1202)]
        assert {event.event for event in events[1:-1]} == {"node:started"}
        assert events[-1].event == "execution:completed"
    await stage.wait_nobody_follows()


async def test_frames_are_the_logs_own_json_byte_for_byte(stage: Stage) -> None:
    script = await stage.script(events=1, finished=True)
    records = await stage.storage.log.read(script.execution_id, after=0, limit=10)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        body = await response.read_all()
    _, _, logged = body.partition(b"\n\n")
    assert logged.decode() == "".join(
        f"id: {record.number}\nevent: {record.type}\ndata: {record.data}\n\n" for record in records
    )


async def test_live_events_follow_the_replay(stage: Stage) -> None:
    script = await stage.script(events=3)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        assert await response.numbers_until(3) == [1, 2, 3]
        await until(lambda: stage.hub.gauges().level == 1)
        await script.append(2)
        assert await response.numbers_until(5) == [4, 5]
        await script.finish()
        assert await response.numbers_until() == [6]
    await stage.wait_nobody_follows()
    assert stage.hub.counters.events_delivered == 6


async def test_every_reader_of_an_execution_gets_every_event(stage: Stage) -> None:
    script = await stage.script(events=1)
    readers = [await request(stage.port, f"/{script.execution_id}") for _ in range(20)]
    for _ in range(5):
        await script.append(3)
    await script.finish()
    for reader in readers:
        assert await reader.numbers_until() == list(range(1, 18))
        await reader.close()


async def test_a_stream_resumes_at_every_cursor(stage: Stage) -> None:
    script = await stage.script(events=11, finished=True)
    for cursor in range(12):
        headers = {"Last-Event-ID": str(cursor)}
        async with await request(
            stage.port, f"/{script.execution_id}", headers=headers
        ) as response:
            assert await response.numbers_until() == list(range(cursor + 1, 13))


async def test_the_header_beats_the_query_parameter(stage: Stage) -> None:
    script = await stage.script(events=5, finished=True)
    target = f"/{script.execution_id}?last_event_id=1"
    async with await request(stage.port, target) as response:
        assert await response.numbers_until() == [2, 3, 4, 5, 6]
    async with await request(stage.port, target, headers={"Last-Event-ID": "4"}) as response:
        assert await response.numbers_until() == [5, 6]


async def test_what_a_polyfill_adds_on_reconnecting_beats_the_url_it_began_with(
    stage: Stage,
) -> None:
    script = await stage.script(events=5, finished=True)
    target = f"/{script.execution_id}?last_event_id=1&lastEventId=4"
    async with await request(stage.port, target) as response:
        assert await response.numbers_until() == [5, 6]
    async with await request(stage.port, target, headers={"Last-Event-ID": "5"}) as response:
        assert await response.numbers_until() == [6]


@pytest.mark.parametrize("cursor", [3, 4, 2**53 - 1])
@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_cursor_at_or_past_the_terminal_event_gets_204(
    stage: Stage, cursor: int, accept: str, method: str
) -> None:
    script = await stage.script(events=2, finished=True)
    headers = {"Last-Event-ID": str(cursor), "Accept": accept}
    async with await request(
        stage.port, f"/{script.execution_id}", headers=headers, method=method
    ) as response:
        assert response.status == 204
        assert await response.read_all() == b""
    await stage.wait_nobody_follows()


@pytest.mark.parametrize("cursor", ["x", "", "-1", "1.0", "+1", "²", "9" * 17, "0x1", "1 2"])
@pytest.mark.parametrize("place", ["header", "query"])
async def test_a_cursor_that_is_no_number_is_refused(stage: Stage, cursor: str, place: str) -> None:
    script = await stage.script(events=1)
    target, headers = f"/{script.execution_id}", {}
    if place == "header":
        headers["Last-Event-ID"] = cursor
    else:
        target += f"?last_event_id={cursor.replace('+', '%2B').replace(' ', '%20')}".replace(
            "²", "%C2%B2"
        )
    async with await request(stage.port, target, headers=headers) as response:
        assert response.status == 400
        error = json.loads(await response.read_all())["error"]
    assert error["code"] == "validation_error"
    named = {"header": "header.Last-Event-ID", "query": "query.last_event_id"}
    assert error["details"]["field"] == named[place]


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_cursor_past_the_log_of_a_live_execution_is_refused(
    stage: Stage, accept: str
) -> None:
    script = await stage.script(events=2)
    target = f"/{script.execution_id}?last_event_id=3"
    async with await request(stage.port, target, headers={"Accept": accept}) as response:
        assert response.status == 400
        error = json.loads(await response.read_all())["error"]
    assert error["details"] == {
        "field": "query.last_event_id",
        "allowed": {"minimum": 0, "maximum": 2},
    }
    await stage.wait_nobody_follows()


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("cursor", [0, 6])
async def test_a_cursor_older_than_what_is_retained_is_expired(
    stage: Stage, accept: str, cursor: int
) -> None:
    script = await stage.script(events=9, finished=True)
    await stage.storage.log.trim(None, keep_last=3)
    target = f"/{script.execution_id}?last_event_id={cursor}"
    async with await request(stage.port, target, headers={"Accept": accept}) as response:
        assert response.status == 410
        error = json.loads(await response.read_all())["error"]
    assert error["code"] == "cursor_expired"
    assert error["details"]["oldest_available"] == 8
    async with await request(stage.port, f"/{script.execution_id}?last_event_id=7") as response:
        assert await response.numbers_until() == [8, 9, 10]
    await stage.wait_nobody_follows()


async def test_an_expired_cursor_of_a_log_that_is_trimmed_whole_names_no_oldest_event(
    stage: Stage,
) -> None:
    script = await stage.script(events=2, finished=True)
    await stage.storage.log.trim(None, keep_last=0)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        assert response.status == 410
        error = json.loads(await response.read_all())["error"]
    assert error["details"]["oldest_available"] is None


async def test_types_filter_by_name_and_terminal_events_always_come(stage: Stage) -> None:
    script = await stage.script(events=3)
    target = f"/{script.execution_id}?types=execution:started,node:completed,connected"
    async with await request(stage.port, target) as response:
        await script.append(3)
        await script.finish()
        assert await response.numbers_until() == [7]


async def test_extension_events_come_only_when_they_are_included(stage: Stage) -> None:
    script = await stage.script(events=1)
    await script.append_hidden(2)
    await script.finish()
    target = f"/{script.execution_id}"
    for query, numbers in [
        ("", [1, 4]),
        ("?include=node:log", [1, 2, 3, 4]),
        ("?include=node:skipped,node:log", [1, 2, 3, 4]),
        ("?include=node:skipped&include=node:log", [1, 2, 3, 4]),
        ("?types=node:log&include=node:log", [2, 3, 4]),
    ]:
        async with await request(stage.port, target + query) as response:
            assert await response.numbers_until() == numbers


async def test_a_cursor_after_hidden_events_goes_on_behind_them(stage: Stage) -> None:
    script = await stage.script(events=1)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        await response.numbers_until(1)
        await script.append_hidden(5)
        await script.append(1)
        assert await response.numbers_until(7) == [7]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("types=node:compleeted", "query.types"),
        ("types=", "query.types"),
        ("types=node:log", "query.types"),
        ("types=node:started,,", "query.types"),
        ("include=node:completed", "query.include"),
        ("include=all", "query.include"),
        ("follow=maybe", "query.follow"),
        ("limit=5", "query.limit"),
        ("wait=5", "query.wait"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_with_its_field(
    stage: Stage, query: str, field: str
) -> None:
    script = await stage.script()
    async with await request(stage.port, f"/{script.execution_id}?{query}") as response:
        assert response.status == 400
        error = json.loads(await response.read_all())["error"]
    assert error["code"] == "validation_error"
    assert error["details"]["field"] == field


async def test_an_unknown_type_is_refused_with_the_list_of_known_ones(stage: Stage) -> None:
    script = await stage.script()
    async with await request(stage.port, f"/{script.execution_id}?types=nope") as response:
        allowed = json.loads(await response.read_all())["error"]["details"]["allowed"]
    assert {"connected", "node:started", "execution:cancelled", "node:log"} <= set(allowed)


async def test_a_media_type_that_is_not_offered_is_not_acceptable(stage: Stage) -> None:
    script = await stage.script()
    headers = {"Accept": "text/html"}
    async with await request(stage.port, f"/{script.execution_id}", headers=headers) as response:
        assert response.status == 406
        error = json.loads(await response.read_all())["error"]
    assert error["code"] == "not_acceptable"
    assert error["details"]["allowed"] == [
        "text/event-stream",
        "application/x-ndjson",
        "application/json",
    ]


async def test_json_lines_are_the_data_of_the_same_frames(stage: Stage) -> None:
    script = await stage.script(events=4, finished=True)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        events = [event.data for event in await response.events_until()]
    headers = {"Accept": "application/x-ndjson"}
    async with await request(stage.port, f"/{script.execution_id}", headers=headers) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        lines = (await response.read_all()).decode().split("\n")
    assert lines == [*events, ""]


@pytest.mark.parametrize(
    ("accept", "heartbeat"),
    [("text/event-stream", b"\n: heartbeat\n\n"), ("application/x-ndjson", b"\n\n")],
)
async def test_an_idle_stream_sends_heartbeats(
    open_stage: OpenStage, accept: str, heartbeat: bytes
) -> None:
    async with open_stage(StreamingOptions(heartbeat_seconds=0.02)) as running:
        script = await running.script(events=1)
        async with await request(
            running.port, f"/{script.execution_id}", headers={"Accept": accept}
        ) as response:
            await response.read_until(heartbeat)
            await script.finish()
            body = await response.read_all()
        assert body.rstrip().endswith(b"}")


async def test_hidden_events_do_not_keep_heartbeats_from_coming(open_stage: OpenStage) -> None:
    async with open_stage(StreamingOptions(heartbeat_seconds=0.02)) as running:
        script = await running.script()

        async def append_without_end() -> None:
            while True:
                await script.append_hidden()

        appending = asyncio.create_task(append_without_end())
        async with await request(running.port, f"/{script.execution_id}") as response:
            await response.read_until(b"\n: heartbeat\n\n")
        appending.cancel()


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json", "*/*"])
async def test_head_has_the_headers_of_get_and_follows_nothing(stage: Stage, accept: str) -> None:
    script = await stage.script(events=1)
    target, headers = f"/{script.execution_id}", {"Accept": accept}
    async with await request(stage.port, target, headers=headers, method="HEAD") as head:
        assert await head.read_all() == b""
    assert stage.hub.counters.opened == 0
    async with await request(stage.port, target, headers=headers) as got:
        assert head.status == got.status
        unknown = {"transfer-encoding", "content-length", "connection"}
        assert {name: value for name, value in got.headers.items() if name not in unknown} == (
            head.headers
        )


async def test_head_refuses_what_get_refuses(stage: Stage) -> None:
    script = await stage.script(events=1)
    for query, status in [("last_event_id=2", 400), ("last_event_id=x", 400), ("types=x", 400)]:
        target = f"/{script.execution_id}?{query}"
        async with await request(stage.port, target, method="HEAD") as response:
            assert response.status == status


async def test_an_http_1_0_client_gets_no_chunks_and_reads_to_the_end(stage: Stage) -> None:
    script = await stage.script(events=700)
    async with await request(stage.port, f"/{script.execution_id}", version="1.0") as response:
        assert response.status == 200
        assert "transfer-encoding" not in response.headers
        assert "content-length" not in response.headers
        assert response.headers["connection"] == "close"
        await response.numbers_until(700)
        await script.finish()
        assert await response.numbers_until() == [701]
        assert response.body.startswith(b"event: connected\n")
        assert response.body.endswith(b"\n\n")


async def test_an_http_1_0_client_gets_pages_with_their_length(stage: Stage) -> None:
    script = await stage.script(events=2)
    target = f"/{script.execution_id}?follow=false"
    async with await request(stage.port, target, version="1.0") as response:
        assert len(json.loads(await response.read_all())["data"]) == 2


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_streams_need_nothing_special_of_the_asgi_server(
    open_stage: OpenStage, http: str
) -> None:
    async with open_stage(http=http) as running:
        script = await running.script(events=3)
        async with await request(running.port, f"/{script.execution_id}") as response:
            await response.numbers_until(3)
            await script.finish()
            assert await response.numbers_until() == [4]
        async with await request(running.port, f"/{script.execution_id}") as response:
            await response.next_event()
        await running.wait_nobody_follows()
