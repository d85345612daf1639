"""One execution without a server: the same engine and log, on a database that is thrown away."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from flowmaestro.engine import AlreadyEnded, LocalEngine
from flowmaestro.events import Connected, LoggedEvent, UnknownEvent, decode_event
from flowmaestro.main.parts import engine_options, load_registry, node_services
from flowmaestro.main.settings import Settings
from flowmaestro.storage import Storage
from flowmaestro.workflow import Definition, input_schema, to_document, validate

WORKSPACE = "local"
PAGE = 500
EVERYTHING = ("*",)
"""Who runs a workflow on their own machine may reach what the machine reaches."""


class LocalRun:
    """An execution that runs in this process. Made by :func:`local_run`."""

    def __init__(
        self, storage: Storage, engine: LocalEngine, definition: Definition, execution_id: str
    ) -> None:
        self._storage = storage
        self._engine = engine
        self.definition = definition
        self.execution_id = execution_id

    async def events(self) -> AsyncIterator[LoggedEvent | Connected | UnknownEvent]:
        """Yield every event from the first to the terminal one, each when it is durable."""
        committed = asyncio.Event()
        remove = self._storage.log.on_commit(lambda *_: committed.set())
        cursor = 0
        try:
            while True:
                committed.clear()
                page = await self._storage.log.read(self.execution_id, after=cursor, limit=PAGE)
                for record in page:
                    event = decode_event(record.data, record.number)
                    yield event
                    if event.terminal:
                        return
                    cursor = record.number
                if not page:
                    await committed.wait()
        finally:
            remove()

    async def cancel(self, reason: str) -> None:
        """Cancel the execution; its terminal event says so. One that has ended stays as it is."""
        try:
            await self._engine.cancel(self.execution_id, reason)
        except AlreadyEnded:
            return


@asynccontextmanager
async def local_run(
    settings: Settings,
    document: object,
    inputs: Mapping[str, Any],
    called: Mapping[str, object] | None = None,
) -> AsyncIterator[LocalRun]:
    """Begin an execution of *document* with the node types, providers and secrets of *settings*.

    :param document: the definition, as JSON values.
    :param called: definitions that its ``workflow`` nodes may call, by workflow id.
    :raises InvalidDefinition: if a definition has problems.
    :raises InvalidInputs: if the inputs do not fit it.
    :raises UncallableWorkflow: if it calls a workflow that *called* does not have.
    :raises InvalidSettings: if a module of node types cannot be imported.
    """
    async with AsyncExitStack() as stack:
        services = node_services(settings, by_default=EVERYTHING)
        stack.push_async_callback(services.aclose)
        registry = load_registry(settings.nodes, services)
        definitions = {
            workflow_id: validate(other, registry.catalog)
            for workflow_id, other in (called or {}).items()
        }
        definition = validate(document, registry.catalog)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flowmaestro-"))
        storage = await stack.enter_async_context(await Storage.open(str(Path(folder) / "run.db")))

        async def store(workflow_id: str | None, of: Definition) -> str:
            stored = await storage.workflows.create(
                WORKSPACE,
                to_document(of),
                name=of.name,
                id=workflow_id,
                input_schema=input_schema(of),
            )
            return stored.id

        for workflow_id, other in definitions.items():
            await store(workflow_id, other)
        engine = LocalEngine(storage, registry, engine_options(settings))
        await engine.start()
        stack.push_async_callback(engine.drain, 0)
        execution, _ = await engine.accept(WORKSPACE, await store(None, definition), inputs)
        yield LocalRun(storage, engine, definition, execution.id)
