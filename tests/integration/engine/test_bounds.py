"""What one execution may hold and do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowmaestro import function
from flowmaestro.engine import EngineOptions
from flowmaestro.engine.step import MAX_STEP_BYTES
from flowmaestro.storage import LogRecord
from tests.support.engine import of_type, python_node, workbench

MakeModule = Callable[..., ModuleType]

CONTINUE = {"on_error": {"strategy": "continue"}}
SIZE = 200_000
ROOM = 1_000_000


@function
async def large() -> str:
    return "x" * SIZE


@function
async def small() -> int:
    return 1


def chain(nodes: dict[str, Any]) -> dict[str, Any]:
    ids = list(nodes)
    edges = [{"source": source, "target": target} for source, target in pairwise(ids)]
    return {"nodes": nodes, "edges": edges}


def loop(body: dict[str, Any], items: int, **fields: Any) -> dict[str, Any]:
    return {"type": "loop", "config": {"items": [0] * items, "body": body}, **fields}


async def test_outputs_that_are_too_much_together_fail_the_execution_whatever_on_error_says(
    tmp_path: Path, module: MakeModule
) -> None:
    nodes = {f"n{index}": python_node("large", **CONTINUE) for index in range(20)}
    options = EngineOptions(max_execution_bytes=ROOM)
    async with workbench(tmp_path / "test.db", module(large), options=options) as bench:
        events = await bench.run(chain(nodes))
    assert len(of_type(events, "node:completed")) == 4
    [failed] = of_type(events, "node:failed")
    [end] = of_type(events, "execution:failed")
    assert failed.node_id == end.failed_node_id == "n4"
    assert failed.error_code == end.error_code == "execution_too_large"
    assert "1,000,060 bytes in memory" in end.error
    assert "1,000,000 are allowed" in end.error


async def test_what_is_let_go_of_makes_room(tmp_path: Path, module: MakeModule) -> None:
    body = chain({"a": python_node("large"), "b": python_node("small")})
    options = EngineOptions(max_execution_bytes=ROOM)
    async with workbench(tmp_path / "test.db", module(large, small), options=options) as bench:
        events = await bench.run({"nodes": {"each": loop(body, 15)}})
    assert events[-1].type == "execution:completed"
    assert len(of_type(events, "node:completed")) == 31


async def test_scopes_that_would_be_open_at_once_count(tmp_path: Path) -> None:
    body = {"nodes": {"wait": {"type": "wait", "config": {"duration_ms": 60_000}}}}
    each = loop(body, 1_000)
    each["config"]["max_concurrency"] = 1_000
    options = EngineOptions(max_execution_bytes=ROOM)
    async with workbench(tmp_path / "test.db", options=options) as bench:
        events = await bench.run({"nodes": {"each": each}})
    assert of_type(events, "execution:failed")[0].error_code == "execution_too_large"
    assert of_type(events, "node:expanded") == []


@pytest.mark.parametrize("strategy", ["fail", "continue"])
async def test_loops_in_loops_come_to_an_end(tmp_path: Path, strategy: str) -> None:
    inner = loop(
        {"nodes": {"a": {"type": "transform", "config": {"value": 1}}}},
        10,
        on_error={"strategy": strategy},
    )
    options = EngineOptions(max_execution_nodes=100)
    async with workbench(tmp_path / "test.db", options=options) as bench:
        events = await bench.run({"nodes": {"each": loop({"nodes": {"inner": inner}}, 20)}})
    failed = of_type(events, "node:failed")
    assert {event.error_code for event in failed} == {"too_many_nodes"}
    assert failed[0].node_id == "each[7].inner"
    assert "the execution would have 101 nodes" in failed[0].error
    assert len(of_type(events, "node:completed")) <= 100
    ended = "execution:completed" if strategy == "continue" else "execution:failed"
    assert events[-1].type == ended


async def test_a_workflow_that_calls_itself_comes_to_an_end(tmp_path: Path) -> None:
    calls = {
        f"call{index}": {"type": "workflow", "config": {"workflow_id": "again"}}
        for index in range(8)
    }
    options = EngineOptions(max_execution_nodes=100)
    async with workbench(tmp_path / "test.db", options=options) as bench:
        workflow_id = await bench.push({"nodes": calls}, "again")
        execution, _ = await bench.engine.accept("default", workflow_id, {})
        await bench.wait_until_ended(execution.id)
        ended = await bench.storage.executions.get(execution.id)
    assert ended.error_details is not None
    assert ended.error_details.code == "too_many_nodes"


@pytest.mark.parametrize(
    ("room", "status"), [(600_000, "failed"), (ROOM, "failed"), (100 * ROOM, "completed")]
)
async def test_a_restart_with_another_bound_goes_on_with_that(
    tmp_path: Path, module: MakeModule, room: int, status: str
) -> None:
    held = asyncio.Event()
    reached = asyncio.Event()

    @function
    async def hold() -> None:
        reached.set()
        await held.wait()

    nodes = {"a": python_node("large"), "b": python_node("large"), "hold": python_node("hold")}
    document = chain(nodes | {f"n{index}": python_node("large") for index in range(4)})
    modules = module(large, hold)
    options = EngineOptions(max_execution_bytes=ROOM)
    async with workbench(tmp_path / "test.db", modules, options=options) as bench:
        execution = await bench.begin(document)
        await reached.wait()
    held.set()
    options = EngineOptions(max_execution_bytes=room)
    async with workbench(tmp_path / "test.db", modules, options=options) as bench:
        await bench.wait_until_ended(execution.id)
        events = await bench.events(execution.id)
    assert events[-1].type == f"execution:{status}"
    if status == "failed":
        failed = of_type(events, "execution:failed")[0]
        assert failed.error_code == "execution_too_large"
        assert failed.failed_node_id == ("n0" if room < ROOM else "n2")


async def test_a_step_is_bounded_in_bytes(tmp_path: Path) -> None:
    body = chain(
        {
            "a": {"type": "transform", "config": {"value": "{{ 'x' * 700000 }}"}},
            "b": {"type": "transform", "config": {"value": 1}},
        }
    )
    sizes: list[int] = []
    ended = asyncio.Event()

    def committed(_: str, records: list[LogRecord]) -> None:
        sizes.append(sum(record.size_bytes for record in records))
        if records[-1].type == "execution:completed":
            ended.set()

    async with workbench(tmp_path / "test.db") as bench:
        bench.storage.log.on_commit(committed)
        await bench.begin({"nodes": {"each": loop(body, 30)}})
        async with asyncio.timeout(60):
            await ended.wait()
    assert sum(sizes) > 30 * 700_000
    assert max(sizes) < MAX_STEP_BYTES + 1_000_000
