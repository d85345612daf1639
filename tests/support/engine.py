"""A real engine on a real database, with node types that tests steer by events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from flowmaestro.engine import EngineOptions, LocalEngine
from flowmaestro.events import Event, decode_event
from flowmaestro.nodes import Registry, Services
from flowmaestro.storage import Execution, Storage, StorageOptions
from flowmaestro.workflow import to_document, validate
from tests.support.clock import MovedClock

WORKSPACE = "default"


class Workbench:
    """An engine with its storage, and what tests do with them again and again."""

    def __init__(self, storage: Storage, engine: LocalEngine, registry: Registry) -> None:
        self.storage = storage
        self.engine = engine
        self.registry = registry

    async def push(self, document: Mapping[str, Any], workflow_id: str | None = None) -> str:
        definition = validate({"name": "test", **document}, self.registry.catalog)
        workflow = await self.storage.workflows.create(
            WORKSPACE,
            to_document(definition),
            name=definition.name,
            id=workflow_id,
            input_schema=None,
        )
        return workflow.id

    async def begin(
        self, document: Mapping[str, Any], inputs: Mapping[str, Any] | None = None
    ) -> Execution:
        execution, _ = await self.engine.accept(WORKSPACE, await self.push(document), inputs or {})
        return execution

    async def run(
        self, document: Mapping[str, Any], inputs: Mapping[str, Any] | None = None
    ) -> list[Event]:
        """Run a workflow to its end and return its log."""
        execution = await self.begin(document, inputs)
        await self.wait_until_ended(execution.id)
        return await self.events(execution.id)

    async def events(self, execution_id: str) -> list[Event]:
        records = await self.storage.log.read(execution_id, after=0, limit=10_000)
        return [decode_event(record.data, record.number) for record in records]

    async def wait_until_ended(self, execution_id: str, timeout_seconds: float = 20) -> None:
        await self.wait_for(execution_id, "execution:", timeout_seconds, terminal=True)

    async def wait_for(
        self,
        execution_id: str,
        event_type: str,
        timeout_seconds: float = 20,
        *,
        terminal: bool = False,
    ) -> None:
        """Wait until the log holds an event whose type begins with *event_type*."""
        seen = asyncio.Event()

        def listen(changed: str, records: Any) -> None:
            if changed == execution_id:
                seen.set()

        remove = self.storage.log.on_commit(listen)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not any(
                    event.type.startswith(event_type) and (event.terminal or not terminal)
                    for event in await self.events(execution_id)
                ):
                    await seen.wait()
                    seen.clear()
        finally:
            remove()


@asynccontextmanager
async def workbench(
    path: Path,
    *modules: ModuleType,
    options: EngineOptions | None = None,
    storage_options: StorageOptions | None = None,
    start: bool = True,
    clock: MovedClock | None = None,
) -> AsyncIterator[Workbench]:
    """Open a storage at *path* with a started engine, and close both at the end."""
    services = Services()
    registry = Registry.builtin(services)
    for module in modules:
        registry = registry.with_module(module)
    async with await Storage.open(str(path), options=storage_options) as storage:
        clock = clock or MovedClock()
        engine = LocalEngine(storage, registry, options, now=clock.now, steady=clock.steady)
        if start:
            await engine.start()
        try:
            yield Workbench(storage, engine, registry)
        finally:
            await engine.drain(grace_seconds=0)
            await services.aclose()


def python_node(
    function: str, arguments: Mapping[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """A node that calls *function*, with further *fields* of its definition."""
    config = {"function": function, "arguments": dict(arguments or {})}
    return {"type": "python", "config": config, **fields}


def types_of(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def of_type(events: list[Event], event_type: str) -> list[Any]:
    return [event for event in events if event.type == event_type]
