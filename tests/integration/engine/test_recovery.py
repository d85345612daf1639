"""An engine that starts goes on where the last one stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowmaestro import NodeContext, function
from flowmaestro.engine import EngineOptions, EngineStopping
from flowmaestro.storage import StorageOptions, StorageUnavailable
from tests.support.engine import of_type, python_node, types_of, workbench

MakeModule = Callable[..., ModuleType]


async def test_what_ran_when_the_server_stopped_runs_again_with_the_next_attempt(
    tmp_path: Path, module: MakeModule
) -> None:
    attempts: list[int] = []
    hangs = True

    @function
    async def first() -> str:
        return "once"

    @function
    async def second(context: NodeContext) -> int:
        attempts.append(context.attempt)
        if hangs:
            await asyncio.Event().wait()
        return context.attempt

    document = {
        "nodes": {"a": python_node("first"), "b": python_node("second")},
        "edges": [{"source": "a", "target": "b"}],
    }
    database = tmp_path / "test.db"
    async with workbench(database, module(first, second)) as bench:
        execution = await bench.begin(document)
        while not attempts:
            await bench.wait_for(execution.id, "node:started")
            await asyncio.sleep(0)
        before = await bench.events(execution.id)

    hangs = False
    async with workbench(database, module(first, second)) as bench:
        await bench.wait_until_ended(execution.id)
        events = await bench.events(execution.id)

    assert events[: len(before)] == before
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert attempts == [1, 2]
    assert [(e.node_id, e.attempt) for e in of_type(events, "node:started")] == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
    ]
    [retrying] = of_type(events, "node:retrying")
    assert retrying.interrupted
    assert events[-1].type == "execution:completed"


async def test_a_pending_execution_begins_at_the_next_start(tmp_path: Path) -> None:
    document = {"nodes": {"a": {"type": "transform", "config": {"value": 1}}}}
    database = tmp_path / "test.db"
    async with workbench(database, options=EngineOptions(max_active_executions=0)) as bench:
        workflow_id = await bench.push(document)
        execution, _ = await bench.engine.accept("default", workflow_id, {})
    async with workbench(database) as bench:
        await bench.wait_until_ended(execution.id)
        assert types_of(await bench.events(execution.id))[0] == "execution:started"


async def test_a_drain_lets_running_nodes_end_and_starts_no_more(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def finish() -> None:
        await released.wait()

    document = {
        "nodes": {"a": python_node("finish"), "b": python_node("finish")},
        "edges": [{"source": "a", "target": "b"}],
    }
    async with workbench(tmp_path / "test.db", module(finish)) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:started")
        draining = asyncio.create_task(bench.engine.drain(grace_seconds=20))
        await asyncio.sleep(0)
        with pytest.raises(EngineStopping):
            await bench.begin(document)
        released.set()
        await draining
        events = await bench.events(execution.id)
        assert [e.node_id for e in of_type(events, "node:completed")] == ["a"]
        assert [e.node_id for e in of_type(events, "node:started")] == ["a"]


async def test_an_execution_outlives_a_full_disk(tmp_path: Path, module: MakeModule) -> None:
    entered = asyncio.Event()
    released = asyncio.Event()

    @function
    async def fill() -> str:
        entered.set()
        await released.wait()
        return "x" * 900_000

    document = {"nodes": {"a": python_node("fill")}}
    database = tmp_path / "test.db"
    full = StorageOptions(max_database_bytes=500_000)
    async with workbench(database, module(fill), storage_options=full) as bench:
        execution = await bench.begin(document)
        await entered.wait()
        refused = asyncio.Event()
        bench.engine._services.log.append = _signal(bench.engine._services.log.append, refused)  # type: ignore[method-assign]
        released.set()
        await asyncio.wait_for(refused.wait(), 10)
        before = await bench.events(execution.id)
        assert types_of(before)[-1] == "node:started"

    async with workbench(database, module(fill)) as bench:
        await bench.wait_until_ended(execution.id)
        events = await bench.events(execution.id)
        assert events[: len(before)] == before
        assert events[-1].type == "execution:completed"


def _signal(append: Any, refused: asyncio.Event) -> Any:
    async def appending(*arguments: Any) -> Any:
        try:
            return await append(*arguments)
        except StorageUnavailable:
            refused.set()
            raise

    return appending
