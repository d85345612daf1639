"""An execution's events, as a server would have recorded them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flowmaestro.events import (
    Connected,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionProgress,
    ExecutionStarted,
    LoggedEvent,
    NodeCompleted,
    NodeLog,
    NodeStarted,
    encode_connected,
    encode_event,
    encode_frame,
)

EXECUTION_ID = "exec_01jx"
START = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def moment(milliseconds: int = 0) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def at(milliseconds: int = 0, **fields: Any) -> dict[str, Any]:
    """Return *fields* with those that every event has."""
    return {"execution_id": EXECUTION_ID, "timestamp": moment(milliseconds), **fields}


def started(total_nodes: int = 1, workflow_name: str = "Greet") -> ExecutionStarted:
    return ExecutionStarted(
        **at(
            workflow_id="wf_greet",
            workflow_name=workflow_name,
            started_at=moment(),
            total_nodes=total_nodes,
        )
    )


def node_started(node_id: str, milliseconds: int = 0, attempt: int = 1) -> NodeStarted:
    return NodeStarted(
        **at(
            milliseconds,
            node_id=node_id,
            node_name=node_id.rpartition(".")[2].title(),
            node_type="transform",
            attempt=attempt,
            started_at=moment(milliseconds),
        )
    )


def node_completed(
    node_id: str, milliseconds: int = 0, outputs: dict[str, Any] | None = None
) -> NodeCompleted:
    return NodeCompleted(
        **at(
            milliseconds,
            node_id=node_id,
            node_name=node_id.rpartition(".")[2].title(),
            node_type="transform",
            outputs=outputs or {},
            attempt=1,
            duration_ms=120,
            completed_at=moment(milliseconds),
        )
    )


def progressed(percent: int, milliseconds: int = 0) -> ExecutionProgress:
    return ExecutionProgress(
        **at(milliseconds, progress=percent, current_node=None, completed_nodes=0, total_nodes=1)
    )


def completed(outputs: dict[str, Any] | None = None, milliseconds: int = 500) -> ExecutionCompleted:
    return ExecutionCompleted(
        **at(
            milliseconds,
            outputs=outputs or {},
            started_at=moment(),
            completed_at=moment(milliseconds),
            duration_ms=milliseconds,
        )
    )


def failed(error: str = "It broke.", node_id: str | None = None) -> ExecutionFailed:
    return ExecutionFailed(
        **at(
            500,
            error=error,
            error_code="node_error",
            failed_node_id=node_id,
            completed_at=moment(500),
            duration_ms=500,
        )
    )


def cancelled(reason: str = "Somebody stopped it.") -> ExecutionCancelled:
    return ExecutionCancelled(**at(500, reason=reason, cancelled_at=moment(500), duration_ms=500))


def node_log(message: str, node_id: str = "greet") -> NodeLog:
    return NodeLog(**at(20, node_id=node_id, level="info", message=message))


def short_log() -> list[LoggedEvent]:
    """Return the log of one node's execution; it holds characters of two, three and four bytes."""
    return [
        started(),
        node_started("greet", 10),
        node_completed("greet", 130, {"text": "Grüße, 世界 🎉"}),
        completed({"text": "Grüße"}),
    ]


def frames(log: Sequence[LoggedEvent], after: int = 0) -> list[bytes]:
    """Return the frames of *log* after the number *after*."""
    return [
        encode_frame(number, event.type, encode_event(event))
        for number, event in enumerate(log, 1)
        if number > after
    ]


def opening(log: Sequence[LoggedEvent], retry_ms: int = 1) -> bytes:
    """Return the frame that opens a stream of *log*."""
    connected = Connected(**at(status="running", last_event_id=len(log)))
    return encode_connected(connected, retry_ms)
