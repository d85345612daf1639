"""Storage, node types, engine, hub and API: opened in order, wired, and closed in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowmaestro.api.app import Application
from flowmaestro.api.app import create_app as create_api
from flowmaestro.api.key_watch import KeyWatch
from flowmaestro.api.metrics import Metrics
from flowmaestro.api.services import ApiOptions, ApiServices, Lifecycle
from flowmaestro.engine import LocalEngine
from flowmaestro.main.logs import Redactor
from flowmaestro.main.parts import engine_options, load_registry, node_services
from flowmaestro.main.retention import sweep_periodically
from flowmaestro.main.settings import Settings, load_settings
from flowmaestro.main.tracing import Tracing, open_tracing
from flowmaestro.main.tracing.setup import no_metrics
from flowmaestro.main.vitals import Vitals
from flowmaestro.storage import Storage, StorageOptions, lock_database
from flowmaestro.streaming import Hub, Lane, StreamingOptions


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Running:
    """A server's parts while they run."""

    app: Application
    storage: Storage
    engine: LocalEngine
    hub: Hub
    lifecycle: Lifecycle
    grace_seconds: float
    tracing: Tracing | None = None
    _drained: bool = False

    async def drain(self) -> None:
        """Take no new work, and end what is under way: running nodes get ``grace_seconds``, every
        stream ends on a whole frame. Doing so again does nothing."""
        if self._drained:
            return
        self._drained = True
        self.lifecycle.shutting_down = True
        self.hub.close()
        await asyncio.gather(self._end_work(), self._wait_for_readers())

    async def _end_work(self) -> None:
        await self.engine.drain(self.grace_seconds)
        if self.tracing is not None:
            await self.tracing.aclose()

    async def _wait_for_readers(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.hub.options.closing_grace_seconds + 1):
                await self.hub.wait_empty()


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Open everything that *settings* describe; at the end, drain and close it.

    The database is locked for as long: two servers never run on one file.

    Raises:
        DatabaseUnusable: the database cannot be opened; ``DatabaseLocked``: another server has it.
        StorageUnavailable: the database cannot be opened now.
        InvalidSettings: a module of node types cannot be imported.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(lock_database(settings.database))
        services_of_nodes = node_services(settings)
        stack.push_async_callback(services_of_nodes.aclose)
        registry = load_registry(settings.nodes, services_of_nodes)
        storage = await Storage.open(
            settings.database,
            options=StorageOptions(max_database_bytes=settings.max_database_bytes),
        )
        stack.push_async_callback(storage.aclose)
        hub = Hub(storage.log, _streaming_options(settings))
        redact = Redactor(secret.get_secret_value() for secret in settings.secrets.values())
        tracing = open_tracing(storage, os.environ, redact)
        if tracing is not None:
            stack.push_async_callback(tracing.aclose)
        options = engine_options(settings, trace=None if tracing is None else tracing.root_of)
        engine = LocalEngine(storage, registry, options)
        lifecycle = Lifecycle()
        key_watch = KeyWatch(
            storage.keys, hub, seconds=settings.key_recheck_seconds, clock=_utc_now
        )
        services = ApiServices(
            storage=storage,
            engine=engine,
            hub=hub,
            lane=Lane(hub),
            key_watch=key_watch,
            catalog=registry.catalog,
            options=_api_options(settings),
            lifecycle=lifecycle,
        )
        server = Running(
            app=create_api(services),
            storage=storage,
            engine=engine,
            hub=hub,
            lifecycle=lifecycle,
            grace_seconds=settings.shutdown_grace_seconds,
            tracing=tracing,
        )
        stack.push_async_callback(server.drain)
        await engine.start()
        retention = asyncio.create_task(
            sweep_periodically(
                storage,
                keep_days=settings.retention_days,
                max_events=settings.retention_max_events,
                interval_seconds=settings.retention_interval_seconds,
                clock=_utc_now,
            ),
            name="retention",
        )
        stack.push_async_callback(_cancelled, retention)
        watch = asyncio.create_task(key_watch.watch(), name="key watch")
        stack.push_async_callback(_cancelled, watch)
        vitals = Vitals(storage, _utc_now)
        _add_metrics(server.app.state.metrics, vitals, tracing)
        looking = asyncio.create_task(vitals.watch(), name="vitals")
        stack.push_async_callback(_cancelled, looking)
        yield server


def create_app(settings: Settings | None = None) -> ASGIApp:
    """Return the server as an ASGI application, for any ASGI server with lifespan support.

    The lifespan opens and closes what *settings* (the environment's by default) describe.

    Raises:
        InvalidSettings: the environment's cannot be used.
    """
    return _LifespanApp(load_settings() if settings is None else settings)


class _LifespanApp:
    """Opens the server at the lifespan's start, and hands requests to it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._app is None:
            raise RuntimeError("The ASGI server must support the lifespan protocol.")
        else:
            await self._app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        reply: Message = {"type": "lifespan.shutdown.complete"}
        try:
            async with running(self._settings) as server:
                self._app = server.app
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            stage = "startup" if self._app is None else "shutdown"
            reply = {"type": f"lifespan.{stage}.failed", "message": str(error)}
        await send(reply)


def _add_metrics(metrics: Metrics, vitals: Vitals, tracing: Tracing | None) -> None:
    metrics.add_source(vitals.metrics)
    if tracing is None:
        metrics.add_source(no_metrics)
    else:
        metrics.add_source(tracing.metrics)
        metrics.add_queues(tracing.queues)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _streaming_options(settings: Settings) -> StreamingOptions:
    return StreamingOptions(
        heartbeat_seconds=settings.heartbeat_seconds,
        stalled_reader_seconds=settings.stalled_reader_seconds,
        buffer_bytes=settings.stream_buffer_bytes,
        max_streams=settings.max_streams,
        max_streams_per_owner=settings.max_streams_per_key,
    )


def _api_options(settings: Settings) -> ApiOptions:
    return ApiOptions(
        cors_origins=settings.cors_origins,
        max_body_bytes=settings.max_body_bytes,
        metrics_enabled=settings.metrics_enabled,
        docs_enabled=settings.docs_enabled,
        web_enabled=settings.web_enabled,
    )
