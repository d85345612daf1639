from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from flowmaestro.storage import Storage
from flowmaestro.streaming import (
    Hub,
    Outcome,
    StreamingOptions,
)
from tests.support.asgi_server import serving
from tests.support.raw_http import CutOff, IdleReader, request
from tests.support.streaming import (
    OpenStage,
    Script,
    create_execution,
    follow,
    streaming_app,
    until,
)

SMALL = 16 * 1024
PADDING = 1_000


async def test_a_slow_reader_falls_behind_and_later_gets_everything(open_stage: OpenStage) -> None:
    options = StreamingOptions(buffer_bytes=SMALL, page_bytes=SMALL)
    async with open_stage(options, send_buffer_bytes=SMALL) as running:
        script = await running.script(events=1)
        idle = IdleReader(running.port, f"/{script.execution_id}")
        async with await request(running.port, f"/{script.execution_id}") as other:
            await until(lambda: running.hub.gauges().level == 2)
            while running.hub.counters.overflows == 0:
                await script.append(4, padding=PADDING)
                assert (await other.numbers_until(script.length))[-1] == script.length
            await until(lambda: running.hub.gauges().behind == 1)
            await script.append(100, padding=PADDING, batch=4)
            await script.finish()
            assert (await other.numbers_until())[-1] == script.length
        async with await idle.start_reading() as slow:
            assert await slow.numbers_until() == list(range(1, script.length + 1))
        await running.wait_nobody_follows()


async def test_slow_readers_cost_memory_that_does_not_grow_with_the_log(
    open_stage: OpenStage,
) -> None:
    options = StreamingOptions(buffer_bytes=SMALL, page_bytes=SMALL)
    async with open_stage(options, send_buffer_bytes=SMALL) as running:
        script = await running.script(events=1)
        idle = [IdleReader(running.port, f"/{script.execution_id}") for _ in range(10)]
        await until(lambda: running.hub.gauges().level == len(idle))
        while running.hub.counters.overflows < len(idle):
            await script.append(4, padding=PADDING)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await script.append(3_000, padding=PADDING, batch=100)  # 3.5 MB for each of them
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert running.hub.gauges().behind == len(idle)
        assert after - before < 500_000
        for one in idle:
            one.close()
        await running.wait_nobody_follows()


@pytest.mark.parametrize("behind", [True, False])
async def test_a_reader_that_takes_nothing_is_dropped(open_stage: OpenStage, behind: bool) -> None:
    options = StreamingOptions(
        buffer_bytes=SMALL if behind else 10_000_000, stalled_reader_seconds=0.3
    )
    async with open_stage(options, send_buffer_bytes=SMALL) as running:
        script = await running.script(events=1)
        idle = IdleReader(running.port, f"/{script.execution_id}")
        await until(lambda: running.hub.gauges().level == 1)
        while running.hub.gauges().subscriptions:
            await script.append(4, padding=PADDING)
        assert running.hub.counters.drops == 1
        await running.wait_nobody_follows()
        async with await idle.start_reading() as slow:
            with pytest.raises(CutOff):
                await slow.read_all()


async def test_a_reader_that_takes_a_little_now_and_then_is_kept(open_stage: OpenStage) -> None:
    stalled_seconds = 0.2
    options = StreamingOptions(page_records=1, stalled_reader_seconds=stalled_seconds)
    async with open_stage(options) as running:
        script = await running.script(events=20, finished=True)
        reader = await follow(running.hub, script.execution_id)

        async def write_slowly(body: bytes, more: bool) -> None:
            await asyncio.sleep(stalled_seconds / 10)

        assert await reader.write_to(write_slowly, b"opening") is Outcome.FINISHED
        assert reader.cursor == 21
        reader.close()


async def test_a_dropped_readers_connection_is_aborted_where_the_server_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = StreamingOptions(stalled_reader_seconds=0.1)
    async with await Storage.open(f"sqlite:///{tmp_path / 'test.db'}") as storage:
        hub = Hub(storage.log, options)
        app = streaming_app(storage, hub)
        aborted = asyncio.Event()

        async def app_with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            def abort() -> None:
                for connection in server.uvicorn.server_state.connections:
                    connection.transport.abort()
                aborted.set()

            scope["extensions"] = {"flowmaestro.abort": abort}
            await app(scope, receive, send)

        async with serving(app_with_abort, send_buffer_bytes=SMALL) as server:
            script = Script(storage, "exec_1")
            await create_execution(storage, script.execution_id)
            await script.append(2_000, padding=PADDING)
            idle = IdleReader(server.port, f"/{script.execution_id}")
            await asyncio.wait_for(aborted.wait(), 10)
            await until(lambda: server.open_requests == 0)
            with pytest.raises((CutOff, ConnectionError)):
                async with await idle.start_reading() as slow:
                    await slow.read_all()
        assert hub.counters.drops == 1
        assert hub.gauges().subscriptions == 0
        assert "without completing response" not in caplog.text


async def test_an_event_larger_than_every_buffer_arrives(open_stage: OpenStage) -> None:
    options = StreamingOptions(buffer_bytes=SMALL, page_bytes=SMALL)
    async with open_stage(options, send_buffer_bytes=SMALL) as running:
        script = await running.script(events=1)
        async with await request(running.port, f"/{script.execution_id}") as response:
            await response.numbers_until(1)
            await script.append(3, padding=900_000, batch=1)
            assert await response.numbers_until(4) == [2, 3, 4]
            await script.finish()
            assert await response.numbers_until() == [5]
