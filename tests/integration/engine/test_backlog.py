"""What waits in the storage is begun, whatever happens while the engine looks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from flowmaestro import function
from flowmaestro.engine import EngineOptions
from flowmaestro.storage import Execution, Executions, StorageUnavailable
from tests.support.engine import WORKSPACE, Workbench, python_node, workbench
from tests.support.storage import create_execution
from tests.support.waiting import wait_until

MakeModule = Callable[..., ModuleType]
DOCUMENT = {"nodes": {"a": {"type": "transform", "config": {"value": 1}}}}


class Reading:
    """Holds what was read of the waiting executions until it is let go."""

    def __init__(self, executions: Executions, held: Callable[[list[Execution]], bool]) -> None:
        self.read = asyncio.Event()
        self.let_go = asyncio.Event()
        self._really = executions.unfinished
        self._held = held
        executions.unfinished = self._unfinished  # type: ignore[method-assign]

    async def _unfinished(self, **which: Any) -> list[Execution]:
        page = await self._really(**which)
        if self._held(page):
            self.read.set()
            await self.let_go.wait()
        return page


async def leave(bench: Workbench, workflow_id: str) -> Execution:
    """Store an execution as an earlier engine might have left it."""
    return await create_execution(
        bench.storage,
        workspace=WORKSPACE,
        workflow_id=workflow_id,
        definitions={workflow_id: 1},
    )


async def test_what_comes_while_nothing_is_found_is_begun(tmp_path: Path) -> None:
    async with workbench(tmp_path / "test.db", start=False) as bench:
        workflow_id = await bench.push(DOCUMENT)
        await leave(bench, workflow_id)
        reading = Reading(bench.storage.executions, lambda page: not page)
        await bench.engine.start()
        await reading.read.wait()
        execution, _ = await bench.engine.accept(WORKSPACE, workflow_id, {})
        reading.let_go.set()
        await bench.wait_until_ended(execution.id)


async def test_what_is_put_off_while_nothing_is_found_is_begun_again(tmp_path: Path) -> None:
    async with workbench(tmp_path / "test.db", start=False) as bench:
        workflow_id = await bench.push(DOCUMENT)
        execution = await leave(bench, workflow_id)
        definitions = bench.engine._definitions
        really, failed = definitions.load, asyncio.Event()

        async def fail_once(*which: Any) -> Any:
            if not failed.is_set():
                failed.set()
                raise StorageUnavailable("it is locked")
            return await really(*which)

        definitions.load = fail_once  # type: ignore[assignment,method-assign]
        reading = Reading(bench.storage.executions, lambda page: not page)
        await bench.engine.start()
        await reading.read.wait()
        await wait_until(lambda: bench.engine.active_executions == 0)
        assert failed.is_set()
        reading.let_go.set()
        await bench.wait_until_ended(execution.id)
        await wait_until(lambda: bench.engine.unfinished_executions == 0)


async def test_what_ends_while_it_is_found_is_not_begun_again(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def wait() -> None:
        await released.wait()

    options = EngineOptions(max_active_executions=2)
    async with workbench(tmp_path / "test.db", module(wait), options=options) as bench:
        workflow_id = await bench.push({"nodes": {"a": python_node("wait")}})
        first, second, third = [
            (await bench.engine.accept(WORKSPACE, workflow_id, {}))[0] for _ in range(3)
        ]
        reading = Reading(
            bench.storage.executions, lambda page: second.id in [found.id for found in page]
        )
        await bench.engine.cancel(first.id, "to make room")
        await reading.read.wait()
        await bench.engine.cancel(second.id, "while it is found")
        reading.let_go.set()
        released.set()
        await bench.wait_until_ended(third.id)
        await wait_until(lambda: bench.engine.active_executions == 0)
        assert bench.engine.unfinished_executions == 0
        assert bench.engine.statistics.recovered == 0
        assert bench.engine.statistics.ended["cancelled"].count == 2


async def test_what_is_cancelled_twice_at_once_ends_once(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def wait() -> None:
        await released.wait()

    options = EngineOptions(max_active_executions=1)
    async with workbench(tmp_path / "test.db", module(wait), options=options) as bench:
        running = await bench.begin({"nodes": {"a": python_node("wait")}})
        waiting = await bench.begin(DOCUMENT)
        await asyncio.gather(*(bench.engine.cancel(waiting.id, "no more") for _ in range(3)))
        assert bench.engine.unfinished_executions == 1
        released.set()
        await bench.wait_until_ended(running.id)
        await wait_until(lambda: bench.engine.unfinished_executions == 0)
