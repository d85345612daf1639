from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from flowmaestro.storage import LogHead, LogRecord, Storage, UnknownExecution
from flowmaestro.streaming import (
    Hub,
    Outcome,
    Reader,
    StreamingOptions,
)
from tests.support.raw_http import IdleReader, request
from tests.support.streaming import OpenStage, Script, Stage, create_execution, follow, until


async def test_a_disconnect_while_nothing_is_sent_frees_the_stream_at_once(stage: Stage) -> None:
    script = await stage.script(events=1)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        await response.numbers_until(1)
        assert stage.hub.gauges().subscriptions == 1
    await stage.wait_nobody_follows()


async def test_a_disconnect_while_the_socket_is_full_frees_the_stream_at_once(
    open_stage: OpenStage,
) -> None:
    async with open_stage(send_buffer_bytes=4096) as running:
        script = await running.script()
        await script.append(2_000, padding=1_000)
        idle = IdleReader(running.port, f"/{script.execution_id}")
        await until(lambda: running.hub.counters.events_delivered > 0)
        idle.close()
        await running.wait_nobody_follows()
        assert running.hub.counters.drops == 0


async def test_readers_that_come_and_go_at_random_lose_and_repeat_nothing(stage: Stage) -> None:
    script = await stage.script(events=1)
    chance = random.Random(4)

    async def follow() -> list[int]:
        got: list[int] = []
        while True:
            headers = {"Last-Event-ID": str(got[-1])} if got else {}
            async with await request(
                stage.port, f"/{script.execution_id}", headers=headers
            ) as response:
                if response.status == 204:
                    return got
                leave_after = chance.randint(0, 40)
                while (event := await response.next_event()) is not None:
                    if event.event != "connected":
                        got.append(int(event.id))
                    leave_after -= 1
                    if leave_after < 0:
                        break  # most often in the middle of what the server is sending

    following = [asyncio.create_task(follow()) for _ in range(8)]
    for _ in range(60):
        await script.append(chance.randint(1, 8))
    await script.finish()
    for got in await asyncio.gather(*following):
        assert got == list(range(1, script.length + 1))
    await stage.wait_nobody_follows()


async def test_shutdown_ends_every_stream_on_a_whole_frame_with_a_spread_out_retry(
    stage: Stage,
) -> None:
    script = await stage.script(events=3)
    readers = [await request(stage.port, f"/{script.execution_id}") for _ in range(12)]
    for reader in readers:
        await reader.numbers_until(3)
    stage.hub.close()
    retries = set()
    for reader in readers:
        assert await reader.numbers_until() == []
        last = reader.body.split(b"\n\n")[-2].decode()
        assert last.startswith("retry: ")
        assert reader.retry_ms is not None
        assert 500 <= reader.retry_ms <= 3000
        retries.add(reader.retry_ms)
        await reader.close()
    assert len(retries) > 6
    await stage.hub.wait_empty()
    await stage.wait_nobody_follows()


async def test_a_stream_that_was_being_opened_at_shutdown_ends_and_leaves_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await stage.script(events=3)
    read_head = stage.storage.log.head

    async def read_while_shutting_down(execution_id: str) -> LogHead:
        head = await read_head(execution_id)
        stage.hub.close()
        return head

    monkeypatch.setattr(stage.storage.log, "head", read_while_shutting_down)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        assert response.status == 200
        await response.read_all()
        assert response.body.split(b"\n\n")[-2].startswith(b"retry: ")
    await stage.wait_nobody_follows()
    await until(lambda: not stage.server.uvicorn.server_state.connections)


async def test_a_head_that_is_being_read_is_not_too_old_for_who_asks_meanwhile(
    tmp_path: Path,
) -> None:
    async with await Storage.open(f"sqlite:///{tmp_path / 'test.db'}") as storage:
        await create_execution(storage, "exec_1")
        script = Script(storage, "exec_1")
        await script.append(5)
        topic = Hub(storage.log).follow("exec_1")
        first = asyncio.ensure_future(topic.head())
        await asyncio.sleep(0)  # it is being read now
        topic.publish([LogRecord(6, "node:started", "{}")])
        assert (await topic.head(at_least=6)).last_number == 6
        assert (await first).last_number == 6
        topic.release()


@pytest.mark.parametrize("query", ["", "?follow=false&wait=5"])
async def test_during_shutdown_no_stream_opens_and_the_answer_says_when_to_retry(
    stage: Stage, query: str
) -> None:
    script = await stage.script(events=3)
    stage.hub.close()
    async with await request(stage.port, f"/{script.execution_id}{query}") as response:
        assert response.status == 503
        assert int(response.headers["retry-after"]) > 0
        error = json.loads(await response.read_all())["error"]
    assert error["code"] == "service_unavailable"


async def test_shutdown_wakes_a_long_poll(stage: Stage) -> None:
    script = await stage.script()
    target = f"/{script.execution_id}?follow=false&wait=60"
    polling = asyncio.create_task(request(stage.port, target))
    await until(lambda: stage.hub.gauges().subscriptions == 1)
    stage.hub.close()
    async with await polling as response:
        assert json.loads(await response.read_all())["data"] == []


async def test_a_reader_that_takes_nothing_does_not_hold_up_the_shutdown(
    open_stage: OpenStage,
) -> None:
    options = StreamingOptions(closing_grace_seconds=0.05)
    async with open_stage(options, send_buffer_bytes=4096) as running:
        script = await running.script()
        await script.append(2_000, padding=1_000)
        idle = IdleReader(running.port, f"/{script.execution_id}")
        await until(lambda: running.hub.counters.events_delivered > 0)
        running.hub.close()
        async with asyncio.timeout(5):
            await running.hub.wait_empty()
        idle.close()


async def open_reader(folder: Path, script_events: int) -> tuple[Storage, Hub, Script, Reader]:
    storage = await Storage.open(f"sqlite:///{folder / 'test.db'}")
    await create_execution(storage, "exec_1")
    script = Script(storage, "exec_1")
    await script.append(script_events)
    hub = Hub(storage.log)
    return storage, hub, script, await follow(hub, "exec_1")


class Body:
    """Collects what a reader writes."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.complete = False

    async def write(self, body: bytes, more: bool) -> None:
        assert not self.complete
        self.parts.append(body)
        self.complete = not more


async def test_a_log_that_cannot_be_read_ends_the_stream_on_a_whole_frame_with_a_retry(
    tmp_path: Path,
) -> None:
    storage, hub, _, reader = await open_reader(tmp_path, 3)
    await storage.aclose()
    body = Body()
    assert await reader.write_to(body.write, b"opening\n\n") is Outcome.CUT_OFF
    assert body.complete
    assert body.parts[0] == b"opening\n\n"
    assert body.parts[-1].startswith(b"retry: ")
    assert hub.counters.log_failures == 1
    reader.close()
    assert hub.gauges().subscriptions == 0


async def test_a_log_that_is_trimmed_in_front_of_a_reader_ends_its_stream_and_leaves_no_gap(
    tmp_path: Path,
) -> None:
    storage, _, script, reader = await open_reader(tmp_path, 5)
    await script.finish()
    await storage.log.trim(None, keep_last=1)
    body = Body()
    assert await reader.write_to(body.write, b"") is Outcome.CUT_OFF
    assert reader.cursor == 0
    assert not any(part.startswith(b"id:") for part in body.parts)
    reader.close()
    await storage.aclose()


async def test_a_reader_whose_write_fails_is_free_again(tmp_path: Path) -> None:
    storage, hub, _, reader = await open_reader(tmp_path, 3)

    async def write(body: bytes, more: bool) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await reader.write_to(write, b"opening")
    reader.close()
    reader.close()
    assert hub.gauges().subscriptions == 0
    await storage.aclose()


async def test_following_an_unknown_execution_leaves_nothing_behind(tmp_path: Path) -> None:
    async with await Storage.open(f"sqlite:///{tmp_path / 'test.db'}") as storage:
        hub = Hub(storage.log)
        with pytest.raises(UnknownExecution, match="exec_none"):
            await follow(hub, "exec_none")
        assert hub.gauges().topics == 0


async def test_stopping_a_reader_ends_it_out_of_a_write_that_hangs(tmp_path: Path) -> None:
    storage, hub, _, reader = await open_reader(tmp_path, 3)
    writing = asyncio.Event()

    async def write(body: bytes, more: bool) -> None:
        writing.set()
        await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(reader.write_to(write, b"opening"))
    await writing.wait()
    reader.stop()
    assert await task is Outcome.GONE
    assert hub.counters.drops == 0
    reader.close()
    await storage.aclose()
