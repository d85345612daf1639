"""What the API is given to work with: everything a route needs, and nothing that is global."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.requests import Request

from flowmaestro.api.key_watch import KeyWatch
from flowmaestro.engine.statistics import EngineStatistics
from flowmaestro.storage import Execution, Idempotency, Storage
from flowmaestro.streaming import Hub, Lane
from flowmaestro.workflow.catalog import Catalog


class Engine(Protocol):
    """What the API asks of an engine; it never learns which one it has."""

    @property
    def accepting(self) -> bool:
        """Whether new executions are taken."""

    @property
    def running_nodes(self) -> int:
        """How many nodes are being run now."""

    @property
    def active_executions(self) -> int:
        """How many executions are held in memory now."""

    @property
    def unfinished_executions(self) -> int:
        """How many executions are pending or running."""

    @property
    def statistics(self) -> EngineStatistics:
        """What it has done since its start."""

    def queues(self) -> Mapping[str, tuple[int, int | None]]:
        """Return how much is in each of its queues, and its bound."""

    async def accept(
        self,
        workspace: str,
        workflow_id: str,
        inputs: Mapping[str, Any],
        idempotency: Idempotency | None,
        *,
        traceparent: str | None,
    ) -> tuple[Execution, bool]:
        """Store a new execution and start it; the flag is false for an idempotent repeat."""

    async def cancel(self, execution_id: str, reason: str) -> Execution:
        """End an execution as cancelled."""


@dataclass(slots=True)
class Lifecycle:
    """Whether the server takes new work: from the signal to stop on, it does not."""

    shutting_down: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiOptions:
    """How the API behaves; every duration's and size's unit is in its name."""

    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 2 * 1024 * 1024
    metrics_enabled: bool = True
    docs_enabled: bool = True
    web_enabled: bool = True


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class ApiServices:
    """The parts that the routes use, wired by :mod:`flowmaestro.main`."""

    storage: Storage
    engine: Engine
    hub: Hub
    lane: Lane
    key_watch: KeyWatch
    catalog: Catalog
    options: ApiOptions = field(default_factory=ApiOptions)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    clock: Callable[[], datetime] = _utc_now


def services_of(request: Request) -> ApiServices:
    """Return the services of the application that answers *request*."""
    services = request.app.state.services
    assert isinstance(services, ApiServices)
    return services
