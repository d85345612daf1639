"""The event that records a command, and the key that makes recording it twice the same as once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flowmaestro.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionProgress,
    ExecutionStarted,
    LoggedEvent,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
)

from .commands import (
    Command,
    CompleteExecution,
    CompleteNode,
    FailExecution,
    FailNode,
    ReportProgress,
    RetryNode,
    SkipNode,
    StartExecution,
    StartNode,
)
from .scope import NodeState
from .state import ExecutionState

_MILLISECOND = timedelta(milliseconds=1)


def milliseconds_between(start: datetime | None, end: datetime) -> int:
    """Return the whole milliseconds from *start* to *end*; 0 where a clock went backwards."""
    return max(0, (end - start) // _MILLISECOND) if start is not None else 0


class Recorder:
    """Makes the events of one execution.

    :param execution_id: the execution's id.
    :param workflow_id: the executed workflow's id.
    :param workflow_name: its name.
    """

    def __init__(self, execution_id: str, workflow_id: str, workflow_name: str) -> None:
        self.execution_id = execution_id
        self.workflow_id = workflow_id
        self.workflow_name = workflow_name

    def record(self, state: ExecutionState, command: Command, now: datetime) -> LoggedEvent:
        """Return the event that says *command* is carried out at *now*."""
        match command:
            case StartNode(node_id, attempt):
                node = state.find(node_id)
                return NodeStarted(
                    execution_id=self.execution_id,
                    timestamp=now,
                    node_id=node_id,
                    node_name=node.node.name,
                    node_type=node.node.type,
                    attempt=attempt,
                    started_at=now,
                )
            case ReportProgress(progress, completed_nodes, total_nodes, node_id, node_progress):
                return ExecutionProgress(
                    execution_id=self.execution_id,
                    timestamp=now,
                    progress=progress,
                    current_node=node_id or state.current_node,
                    completed_nodes=completed_nodes,
                    total_nodes=total_nodes,
                    node_progress=node_progress,
                )
            case SkipNode(node_id):
                node = state.find(node_id)
                return NodeSkipped(
                    execution_id=self.execution_id,
                    timestamp=now,
                    node_id=node_id,
                    node_name=node.node.name,
                    node_type=node.node.type,
                )
            case CompleteNode(node_id, outputs):
                return self.node_completed(state.find(node_id), outputs, None, now)
            case FailNode(node_id, error, error_code):
                node = state.find(node_id)
                return NodeFailed(
                    execution_id=self.execution_id,
                    timestamp=now,
                    node_id=node_id,
                    node_name=node.node.name,
                    node_type=node.node.type,
                    error=error,
                    error_code=error_code,
                    attempt=node.attempt,
                    duration_ms=milliseconds_between(node.started_at, now),
                )
            case RetryNode(node_id, next_attempt, delay_ms, error, error_code, interrupted):
                return NodeRetrying(
                    execution_id=self.execution_id,
                    timestamp=now,
                    node_id=node_id,
                    next_attempt=next_attempt,
                    delay_ms=delay_ms,
                    error=error,
                    error_code=error_code,
                    interrupted=interrupted,
                )
            case StartExecution():
                return ExecutionStarted(
                    execution_id=self.execution_id,
                    timestamp=now,
                    workflow_id=self.workflow_id,
                    workflow_name=self.workflow_name,
                    started_at=now,
                    total_nodes=state.total_nodes,
                )
            case CompleteExecution(outputs):
                return ExecutionCompleted(
                    execution_id=self.execution_id,
                    timestamp=now,
                    outputs=outputs,
                    started_at=state.started_at or now,
                    completed_at=now,
                    duration_ms=milliseconds_between(state.started_at, now),
                )
            case FailExecution(error, error_code, node_id):
                return ExecutionFailed(
                    execution_id=self.execution_id,
                    timestamp=now,
                    error=error,
                    error_code=error_code,
                    failed_node_id=node_id,
                    completed_at=now,
                    duration_ms=milliseconds_between(state.started_at, now),
                )

    def node_completed(
        self, node: NodeState, outputs: dict[str, Any], handle: str | None, now: datetime
    ) -> NodeCompleted:
        """Return the event of a node that ended well."""
        return NodeCompleted(
            execution_id=self.execution_id,
            timestamp=now,
            node_id=node.path,
            node_name=node.node.name,
            node_type=node.node.type,
            outputs=outputs,
            attempt=node.attempt,
            duration_ms=milliseconds_between(node.started_at, now),
            completed_at=now,
            handle=handle,
        )


_KEYED_BY_ATTEMPT = (NodeStarted, NodeCompleted, NodeFailed)


def idempotency_key(event: LoggedEvent) -> str | None:
    """Return the key under which a log takes *event* once; ``None`` for one that may repeat.

    A node's events are keyed ``NODE:ATTEMPT:KIND``; what ends an execution has one key for all its
    kinds, so that no race gives a log two ends.
    """
    if isinstance(event, _KEYED_BY_ATTEMPT):
        return f"{event.node_id}:{event.attempt}:{event.type[5:]}"
    if isinstance(event, NodeRetrying):
        return f"{event.node_id}:{event.next_attempt}:retrying"
    if isinstance(event, NodeSkipped):
        return f"{event.node_id}:0:skipped"
    if isinstance(event, ExecutionStarted):
        return "execution:started"
    return None
