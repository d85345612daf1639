"""Values to store, and a database to store them in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flowmaestro.events import (
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    NodeLog,
)
from flowmaestro.storage import Execution, Idempotency, LogEntry, NewExecution, Storage

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def started(execution_id: str, key: str | None = None, *, at: datetime = MOMENT) -> LogEntry:
    event = ExecutionStarted(
        execution_id=execution_id,
        timestamp=at,
        workflow_id="wf_1",
        workflow_name="Workflow",
        started_at=at,
        total_nodes=1,
    )
    return LogEntry(event, key)


def note(execution_id: str, message: str = "hello", key: str | None = None) -> LogEntry:
    event = NodeLog(
        execution_id=execution_id, timestamp=MOMENT, node_id="a", level="info", message=message
    )
    return LogEntry(event, key)


def completed(
    execution_id: str,
    key: str | None = None,
    *,
    outputs: dict[str, Any] | None = None,
    at: datetime = MOMENT,
) -> LogEntry:
    event = ExecutionCompleted(
        execution_id=execution_id,
        timestamp=at,
        outputs={} if outputs is None else outputs,
        started_at=at,
        completed_at=at,
        duration_ms=1250,
    )
    return LogEntry(event, key)


def failed(execution_id: str, key: str | None = None) -> LogEntry:
    event = ExecutionFailed(
        execution_id=execution_id,
        timestamp=MOMENT,
        error="The page is gone.",
        error_code="http_404",
        failed_node_id="fetch",
        completed_at=MOMENT,
        duration_ms=7,
    )
    return LogEntry(event, key)


def cancelled(execution_id: str, key: str | None = None) -> LogEntry:
    event = ExecutionCancelled(
        execution_id=execution_id,
        timestamp=MOMENT,
        reason="asked to",
        cancelled_at=MOMENT,
        duration_ms=9,
    )
    return LogEntry(event, key)


def new_execution(
    storage: Storage,
    *,
    id: str | None = None,  # noqa: A002
    workspace: str = "ws",
    workflow_id: str = "wf_1",
    definitions: dict[str, int] | None = None,
    inputs: dict[str, Any] | None = None,
    idempotency: Idempotency | None = None,
    created_at: datetime = MOMENT,
) -> NewExecution:
    return NewExecution(
        id=id or storage.ids.new_id("exec"),
        workspace=workspace,
        workflow_id=workflow_id,
        workflow_name="Workflow",
        definitions={workflow_id: 1} if definitions is None else definitions,
        inputs={} if inputs is None else inputs,
        created_at=created_at,
        idempotency=idempotency,
    )


async def create_execution(storage: Storage, **values: Any) -> Execution:
    execution, created = await storage.executions.create(new_execution(storage, **values))
    assert created
    return execution


async def read_all(storage: Storage, execution_id: str, page: int = 1_000) -> list[int]:
    """Return the numbers of a whole log, read page by page."""
    numbers: list[int] = []
    while records := await storage.log.read(
        execution_id, after=numbers[-1] if numbers else 0, limit=page
    ):
        numbers += [record.number for record in records]
    return numbers
