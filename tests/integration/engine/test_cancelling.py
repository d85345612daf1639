"""Cancelling an execution, whatever it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from flowmaestro import function
from flowmaestro.engine import AlreadyEnded, EngineOptions
from tests.support.engine import of_type, python_node, types_of, workbench

MakeModule = Callable[..., ModuleType]


async def test_a_node_that_cancels_itself_fails(tmp_path: Path, module: MakeModule) -> None:
    @function
    async def give_up() -> None:
        raise asyncio.CancelledError

    async with workbench(tmp_path / "test.db", module(give_up)) as bench:
        [failed] = of_type(await bench.run({"nodes": {"a": python_node("give_up")}}), "node:failed")
        assert failed.error_code == "cancelled"


async def test_cancelling_stops_running_nodes_and_ends_the_log(
    tmp_path: Path, module: MakeModule
) -> None:
    stopped = asyncio.Event()

    @function
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        execution = await bench.begin({"nodes": {"a": python_node("hang")}})
        await bench.wait_for(execution.id, "node:started")
        cancelled = await bench.engine.cancel(execution.id, "asked by a test")
        assert cancelled.status == "cancelled"
        events = await bench.events(execution.id)
        assert types_of(events)[-1] == "execution:cancelled"
        assert events[-1].reason == "asked by a test"  # type: ignore[attr-defined]
        await asyncio.wait_for(stopped.wait(), 10)
        with pytest.raises(AlreadyEnded):
            await bench.engine.cancel(execution.id, "again")


async def test_cancelling_does_not_wait_for_a_node_that_ignores_it(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def stubborn() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    async with workbench(tmp_path / "test.db", module(stubborn)) as bench:
        execution = await bench.begin({"nodes": {"a": python_node("stubborn")}})
        await bench.wait_for(execution.id, "node:started")
        async with asyncio.timeout(1):
            assert (await bench.engine.cancel(execution.id, "now")).status == "cancelled"
        released.set()


async def test_an_execution_that_waits_its_turn_can_be_cancelled(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def wait() -> None:
        await released.wait()

    options = EngineOptions(max_active_executions=1)
    async with workbench(tmp_path / "test.db", module(wait), options=options) as bench:
        first = await bench.begin({"nodes": {"a": python_node("wait")}})
        second = await bench.begin({"nodes": {"a": python_node("wait")}})
        assert (await bench.engine.cancel(second.id, "no more")).status == "cancelled"
        assert types_of(await bench.events(second.id)) == ["execution:cancelled"]
        released.set()
        await bench.wait_until_ended(first.id)
        assert bench.engine.unfinished_executions == 0
