"""Executions with logs to stream, and an application that serves nothing but their streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from flowmaestro.api.errors import ApiError
from flowmaestro.api.responses import failure
from flowmaestro.api.stream import Asker, stream_events
from flowmaestro.events import ExecutionCompleted, LoggedEvent, NodeLog, NodeStarted
from flowmaestro.storage import LogEntry, NewExecution, Storage
from flowmaestro.streaming import (
    SERVER_SENT_EVENTS,
    Hub,
    Lane,
    Reader,
    StreamingOptions,
    View,
    visible_types,
)
from tests.support.asgi_server import RunningServer, serving

OpenStage = Callable[..., AbstractAsyncContextManager["Stage"]]
"""Opens a stage: :func:`stage` with its folder and its way given."""

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
PATIENCE_SECONDS = 10.0


async def until(condition: Callable[[], bool]) -> None:
    """Return when *condition* is true, letting everything else run meanwhile."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


@dataclass
class Script:
    """Writes the log of one execution."""

    storage: Storage
    execution_id: str
    length: int = 0

    async def append(self, count: int = 1, *, padding: int = 0, batch: int = 500) -> None:
        """Append *count* visible events, each *padding* bytes longer than it must be."""
        while count:
            now = min(count, batch)
            await self._append([self._node_started(padding) for _ in range(now)])
            count -= now

    async def append_hidden(self, count: int = 1) -> None:
        """Append *count* events of an extension type."""
        await self._append(
            [
                NodeLog(
                    execution_id=self.execution_id,
                    timestamp=MOMENT,
                    node_id="n",
                    level="info",
                    message="hidden",
                )
                for _ in range(count)
            ]
        )

    async def finish(self) -> None:
        """Append the terminal event."""
        await self._append(
            [
                ExecutionCompleted(
                    execution_id=self.execution_id,
                    timestamp=MOMENT,
                    outputs={"answer": 42},
                    started_at=MOMENT,
                    completed_at=MOMENT,
                    duration_ms=1,
                )
            ]
        )

    async def _append(self, events: list[Any]) -> None:
        entries = [LogEntry(event) for event in events]
        self.length += len(await self.storage.log.append(self.execution_id, entries))

    def _node_started(self, padding: int) -> LoggedEvent:
        return NodeStarted(
            execution_id=self.execution_id,
            timestamp=MOMENT,
            node_id="fetch",
            node_name="Fetch" + "x" * padding,
            node_type="http",
            attempt=1,
            started_at=MOMENT,
        )


@dataclass
class Stage:
    """A storage, a hub, and a server of both."""

    storage: Storage
    hub: Hub
    server: RunningServer
    clock: Callable[[], datetime] = field(default=lambda: MOMENT)

    @property
    def port(self) -> int:
        return self.server.port

    async def script(self, events: int = 0, *, finished: bool = False) -> Script:
        """Return a new execution whose log has that many events, and perhaps its end."""
        script = Script(self.storage, self.storage.ids.new_id("exec"))
        await create_execution(self.storage, script.execution_id)
        await script.append(events)
        if finished:
            await script.finish()
        return script

    async def wait_nobody_follows(self) -> None:
        """Return when no stream is open and no request is being answered."""
        await until(lambda: self.hub.gauges().subscriptions == 0)
        await until(lambda: self.server.open_requests == 0)
        assert self.hub.gauges().topics == 0


async def create_execution(storage: Storage, execution_id: str) -> None:
    """Store a pending execution."""
    await storage.executions.create(
        NewExecution(
            id=execution_id,
            workspace="default",
            workflow_id="wf",
            workflow_name="Workflow",
            definitions={},
            inputs={},
            created_at=MOMENT,
        )
    )


@dataclass
class Services:
    hub: Hub
    lane: Lane
    clock: Callable[[], datetime] = field(default=lambda: MOMENT)


def streaming_app(storage: Storage, hub: Hub) -> Starlette:
    """Return an application that serves ``/{execution_id}``: its events."""
    services = Services(hub, Lane(hub))

    async def events(request: Request) -> Response:
        execution_id = request.path_params["execution_id"]
        return await stream_events(request, execution_id, Asker("default", "key_1"), services)

    async def on_api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return failure(request.scope, error)

    return Starlette(
        routes=[Route("/{execution_id}", events, methods=["GET", "HEAD"])],
        exception_handlers={ApiError: on_api_error},
    )


async def follow(hub: Hub, execution_id: str) -> Reader:
    """Return a reader from the first event on that a test writes for."""
    topic = hub.follow(execution_id)
    try:
        await topic.head()
        return Reader(hub, topic, View(SERVER_SENT_EVENTS, visible_types()), cursor=0)
    finally:
        topic.release()


def without_takeover(app: ASGIApp) -> ASGIApp:
    """Return *app* as a server without our extension would run it."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        scope.pop("extensions", None)
        await app(scope, receive, send)

    return plain


@asynccontextmanager
async def stage(
    folder: Path, options: StreamingOptions | None = None, *, lane: bool, **settings: Any
) -> AsyncIterator[Stage]:
    """Open a database in *folder* and serve its streams, on the lane or as ASGI messages;
    *settings* are those of ``serving``."""
    async with await Storage.open(f"sqlite:///{folder / 'test.db'}") as storage:
        hub = Hub(storage.log, options)
        app: ASGIApp = streaming_app(storage, hub)
        async with serving(app if lane else without_takeover(app), **settings) as server:
            yield Stage(storage, hub, server)
            hub.close()
