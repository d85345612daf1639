"""Nodes that raise, hang, take too long or return what cannot be kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowmaestro import NodeContext, NodeError, function
from flowmaestro.engine import EngineOptions
from tests.support.engine import of_type, python_node, workbench

MakeModule = Callable[..., ModuleType]


async def test_a_raising_node_fails_with_what_it_said(tmp_path: Path, module: MakeModule) -> None:
    @function
    async def divide() -> float:
        return 1 / 0

    async with workbench(tmp_path / "test.db", module(divide)) as bench:
        events = await bench.run({"nodes": {"a": python_node("divide")}})
        [failed] = of_type(events, "node:failed")
        assert failed.error == "ZeroDivisionError: division by zero"
        assert failed.error_code == "node_error"
        execution = await bench.storage.executions.get(failed.execution_id)
        assert execution.status == "failed"
        assert execution.error == failed.error
        assert execution.error_details is not None
        assert execution.error_details.node_id == "a"


async def test_retries_are_made_and_recorded(tmp_path: Path, module: MakeModule) -> None:
    keys = []

    @function
    async def flaky(context: NodeContext) -> int:
        keys.append(context.idempotency_key)
        if context.attempt < 3:
            raise NodeError("not yet", code="not_yet")
        return context.attempt

    retry = {"max_attempts": 3, "initial_delay_ms": 1}
    async with workbench(tmp_path / "test.db", module(flaky)) as bench:
        events = await bench.run({"nodes": {"a": python_node("flaky", retry=retry)}})
    assert [e.next_attempt for e in of_type(events, "node:retrying")] == [2, 3]
    assert of_type(events, "node:completed")[0].outputs == {"value": 3}
    assert len(set(keys)) == 1


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_hanging_node_times_out(tmp_path: Path, module: MakeModule, kind: str) -> None:
    stop = threading.Event()

    @function("hang")
    async def hang_async() -> None:
        await asyncio.Event().wait()

    @function("hang")
    def hang_in_thread() -> None:
        stop.wait(20)

    hang = hang_async if kind == "async" else hang_in_thread
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        events = await bench.run({"nodes": {"a": python_node("hang", timeout_ms=30)}})
        stop.set()
        [failed] = of_type(events, "node:failed")
        assert failed.error_code == "timeout"
        assert failed.error == "the node took longer than its 30 ms"


async def test_an_execution_that_takes_too_long_fails(tmp_path: Path, module: MakeModule) -> None:
    @function
    async def hang() -> None:
        await asyncio.Event().wait()

    document = {"nodes": {"a": python_node("hang")}, "settings": {"timeout_ms": 30}}
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        events = await bench.run(document)
        end = events[-1]
        assert (end.type, end.error_code) == ("execution:failed", "timeout")  # type: ignore[attr-defined]
        await bench.run({"nodes": {"a": {"type": "transform", "config": {"value": 1}}}})
        assert bench.engine.running_nodes == 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (lambda: {"x": object()}, "JSON"),
        (lambda: "x" * 2_000_000, "are allowed"),
        (lambda: {"x": "y" * 100_000_000}, "are 100,000,"),
        (lambda: {"x": {1, 2}}, None),
    ],
)
async def test_what_a_node_returns_is_checked(
    tmp_path: Path, module: MakeModule, value: Callable[[], Any], says: str | None
) -> None:
    @function
    async def give() -> Any:
        return value()

    async with workbench(tmp_path / "test.db", module(give)) as bench:
        events = await bench.run({"nodes": {"a": python_node("give")}})
        failed = of_type(events, "node:failed")
        if says is None:
            assert not failed
        else:
            assert says in failed[0].error
        # The server goes on serving.
        again = await bench.run({"nodes": {"a": {"type": "transform", "config": {"value": 1}}}})
        assert again[-1].type == "execution:completed"


async def test_a_retry_that_is_due_waits_for_a_slot_without_spinning(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()
    steps = 0

    @function
    async def fail_once(context: NodeContext) -> None:
        if context.attempt == 1:
            raise NodeError("once")

    @function
    async def hold() -> None:
        await released.wait()

    document = {
        "nodes": {
            "a": python_node("fail_once", retry={"max_attempts": 2, "initial_delay_ms": 20}),
        }
    }
    options = EngineOptions(max_running_nodes=1)
    async with workbench(tmp_path / "test.db", module(fail_once, hold), options=options) as bench:
        now = bench.engine._services.now

        def counted() -> Any:
            nonlocal steps
            steps += 1
            return now()

        object.__setattr__(bench.engine._services, "now", counted)
        retried = await bench.begin(document)
        await bench.wait_for(retried.id, "node:retrying")
        holder = await bench.begin({"nodes": {"b": python_node("hold")}})
        await bench.wait_for(holder.id, "node:started")
        await asyncio.sleep(0.1)
        released.set()
        await bench.wait_until_ended(retried.id)
        assert steps < 30
