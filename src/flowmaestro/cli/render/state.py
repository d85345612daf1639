"""What is known of an execution: a fold of its events, for showing it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from flowmaestro.events import (
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionProgress,
    ExecutionStarted,
    NodeCompleted,
    NodeExpanded,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    Status,
)

_ITERATION = re.compile(r"\[\d+\]$", re.ASCII)

NodeState = Literal["pending", "running", "retrying", "completed", "failed", "skipped"]


class PlannedNode(NamedTuple):
    """A node of the definition, known before anything happened."""

    path: str
    name: str
    type: str


def parent_path(path: str) -> str | None:
    """Return what holds the node or iteration at *path*; ``None`` at the top.

    ``LOOP[3].NODE`` is held by the iteration ``LOOP[3]``, that by ``LOOP``, and ``CALL.NODE`` by
    ``CALL``.
    """
    if (iteration := _ITERATION.search(path)) is not None:
        return path[: iteration.start()]
    scope, dot, _ = path.rpartition(".")
    return scope if dot else None


@dataclass(slots=True)
class Row:
    """A node, or an iteration of a loop (``is_iteration``), as it stands."""

    path: str
    parent: str | None
    """The path of what holds it."""
    order: int
    """When it was first heard of."""
    name: str
    type: str = ""
    state: NodeState = "pending"
    is_iteration: bool = False
    attempt: int = 1
    started_at: datetime | None = None
    duration_ms: int | None = None
    error: str | None = None
    progress: float | None = None
    scopes: int | None = None
    """How many iterations a loop has, once that is known."""
    iterations: int = 0
    """How many of them were heard of."""
    counts: dict[NodeState, int] = field(default_factory=dict)
    """How many nodes directly inside it are in each state."""


@dataclass(slots=True)
class ExecutionState:
    """The fold. ``rows`` has every node that was heard of, and the iterations between them."""

    execution_id: str = ""
    workflow_name: str = ""
    status: Status = "pending"
    started_at: datetime | None = None
    duration_ms: int | None = None
    progress: float = 0.0
    completed_nodes: int = 0
    total_nodes: int = 0
    outputs: dict[str, Any] | None = None
    error: str | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    active: dict[str, Row] = field(default_factory=dict)
    """Nodes that are running or waiting to be tried again, in the order they began."""
    failed: dict[str, Row] = field(default_factory=dict)
    ended: dict[str, Row] = field(default_factory=dict)
    """Other nodes that ended, the latest last."""
    ended_inside: dict[str, Row] = field(default_factory=dict)
    """The same inside loops and called workflows."""
    pending: dict[str, Row] = field(default_factory=dict)
    known_nodes: int = 0
    """How many rows are nodes."""

    def plan(self, nodes: Iterable[PlannedNode]) -> None:
        """Take in nodes that are to come."""
        for node in nodes:
            self._row(node.path, node.name, node.type)
        self.total_nodes = max(self.total_nodes, len(self.rows))

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        self.execution_id = event.execution_id
        match event:
            case ExecutionStarted():
                self.status = "running"
                self.workflow_name = event.workflow_name
                self.started_at = event.started_at
                self.total_nodes = event.total_nodes
            case ExecutionProgress():
                self.progress = float(event.progress)
                self.completed_nodes = event.completed_nodes
                self.total_nodes = event.total_nodes
                if event.current_node in self.active and event.node_progress is not None:
                    self.active[event.current_node].progress = float(event.node_progress)
            case NodeStarted():
                row = self._row(event.node_id, event.node_name, event.node_type)
                row.attempt, row.started_at, row.progress = event.attempt, event.started_at, None
                self._move(row, "running")
            case NodeCompleted() | NodeFailed():
                row = self._row(event.node_id, event.node_name, event.node_type)
                row.attempt, row.duration_ms = event.attempt, event.duration_ms
                row.error = event.error if isinstance(event, NodeFailed) else None
                self._move(row, "failed" if isinstance(event, NodeFailed) else "completed")
            case NodeSkipped():
                self._move(self._row(event.node_id, event.node_name, event.node_type), "skipped")
            case NodeRetrying():
                row = self._row(event.node_id)
                row.attempt, row.error = event.next_attempt, event.error
                self._move(row, "retrying")
            case NodeExpanded():
                self._row(event.node_id).scopes = len(event.scopes)
            case ExecutionCompleted():
                self.status, self.progress = "completed", 100.0
                self.outputs, self.duration_ms = event.outputs, event.duration_ms
            case ExecutionFailed():
                self.status, self.error = "failed", event.error
                self.duration_ms = event.duration_ms
            case ExecutionCancelled():
                self.status, self.error = "cancelled", event.reason
                self.duration_ms = event.duration_ms
            case _:
                pass

    def ancestors(self, row: Row) -> Iterator[Row]:
        """Yield what holds *row*, from the inside out."""
        while row.parent is not None:
            row = self.rows[row.parent]
            yield row

    def _row(self, path: str, name: str = "", type: str = "") -> Row:  # noqa: A002
        row = self.rows.get(path)
        if row is None:
            parent = parent_path(path)
            if parent is not None:
                self._row(parent)
            is_iteration = _ITERATION.search(path) is not None
            row = Row(path, parent, len(self.rows), name or path, is_iteration=is_iteration)
            self.rows[path] = row
            if is_iteration:
                self.rows[parent or ""].iterations += 1
            else:
                self.known_nodes += 1
                self.pending[path] = row
                self._count(row, 1)
        row.name, row.type = name or row.name, type or row.type
        return row

    def _move(self, row: Row, state: NodeState) -> None:
        self._count(row, -1)
        row.state = state
        self._count(row, 1)
        for group in self._groups():
            group.pop(row.path, None)
        if state in ("running", "retrying"):
            self.active[row.path] = row
        elif state == "failed":
            self.failed[row.path] = row
        elif row.parent is None:
            self.ended[row.path] = row
        else:
            self.ended_inside[row.path] = row

    def _groups(self) -> Iterator[dict[str, Row]]:
        yield from (self.active, self.failed, self.ended, self.ended_inside, self.pending)

    def _count(self, row: Row, step: int) -> None:
        if row.parent is not None:
            counts = self.rows[row.parent].counts
            counts[row.state] = counts.get(row.state, 0) + step
