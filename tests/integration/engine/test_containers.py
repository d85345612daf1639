"""Loops and called workflows, as part of their execution."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from flowmaestro import function
from flowmaestro.engine import UncallableWorkflow
from tests.support.engine import WORKSPACE, of_type, python_node, workbench

MakeModule = Callable[..., ModuleType]


async def test_a_loop_with_a_timeout_stops_what_it_holds(
    tmp_path: Path, module: MakeModule
) -> None:
    cancelled = asyncio.Event()

    @function
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    loop = {
        "type": "loop",
        "config": {"items": [1, 2], "body": {"nodes": {"a": python_node("hang")}}},
        "timeout_ms": 30,
        "on_error": {"strategy": "continue"},
    }
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        events = await bench.run({"nodes": {"each": loop}})
        assert [e.node_id for e in of_type(events, "node:failed")] == ["each"]
        assert events[-1].type == "execution:completed"
        await asyncio.wait_for(cancelled.wait(), 10)


async def test_time_limits_in_settings_hold_for_iterations_and_called_workflows(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def hang() -> None:
        await asyncio.Event().wait()

    slow = {"nodes": {"a": python_node("hang")}, "settings": {"timeout_ms": 30}}
    continues = {"strategy": "continue"}
    document = {
        "nodes": {
            "each": {"type": "loop", "config": {"items": [1], "body": slow}, "on_error": continues},
            "call": {
                "type": "workflow",
                "config": {"workflow_id": "slow"},
                "on_error": continues,
            },
        }
    }
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        await bench.push(slow, "slow")
        events = await bench.run(document)
        failures = {event.node_id: event for event in of_type(events, "node:failed")}
        assert {failure.error_code for failure in failures.values()} == {"timeout"}
        assert failures["each"].error == "each[0]: the iteration took longer than its 30 ms"
        assert failures["call"].error == "the workflow 'slow' took longer than its 30 ms"
        assert events[-1].type == "execution:completed"
        assert bench.engine.running_nodes == 0


async def test_a_called_workflow_runs_as_part_of_the_execution(
    tmp_path: Path, module: MakeModule
) -> None:
    inner = {
        "nodes": {
            "n": {"type": "input", "config": {"input_name": "n", "required": True}},
            "out": {"type": "output", "config": {"output_name": "plus", "value": "{{ n + 1 }}"}},
        },
        "edges": [{"source": "n", "target": "out"}],
    }
    outer = {
        "nodes": {
            "add": {"type": "workflow", "config": {"workflow_id": "adder", "inputs": {"n": 41}}},
            "out": {"type": "output", "config": {"output_name": "x", "value": "{{ add.plus }}"}},
        },
        "edges": [{"source": "add", "target": "out"}],
    }
    async with workbench(tmp_path / "test.db") as bench:
        await bench.push(inner, "adder")
        events = await bench.run(outer)
    assert [e.node_id for e in of_type(events, "node:started")] == [
        "add",
        "add.n",
        "add.out",
        "out",
    ]
    assert events[-1].outputs == {"x": 42}  # type: ignore[attr-defined]


async def test_a_workflow_that_calls_itself_without_end_fails_clearly(tmp_path: Path) -> None:
    itself = {"nodes": {"again": {"type": "workflow", "config": {"workflow_id": "loopy"}}}}
    async with workbench(tmp_path / "test.db") as bench:
        await bench.push(itself, "loopy")
        execution, _ = await bench.engine.accept(WORKSPACE, "loopy", {})
        await bench.wait_until_ended(execution.id)
        end = (await bench.events(execution.id))[-1]
    assert (end.type, end.error_code) == ("execution:failed", "too_deep")  # type: ignore[attr-defined]


async def test_a_workflow_that_calls_a_missing_one_is_not_accepted(tmp_path: Path) -> None:
    caller = {"nodes": {"call": {"type": "workflow", "config": {"workflow_id": "nowhere"}}}}
    async with workbench(tmp_path / "test.db") as bench:
        with pytest.raises(UncallableWorkflow, match="nowhere"):
            await bench.begin(caller)
