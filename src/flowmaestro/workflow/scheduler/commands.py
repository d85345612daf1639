"""What the scheduler asks for: one frozen dataclass for each thing that can be done next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StartExecution:
    """Begin: nothing has happened yet."""


@dataclass(frozen=True, slots=True)
class StartNode:
    """Run the node's next attempt."""

    node_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RetryNode:
    """Repeat the node when *delay_ms* milliseconds have passed; this attempt failed."""

    node_id: str
    next_attempt: int
    delay_ms: int
    error: str
    error_code: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class SkipNode:
    """No edge into the node was taken."""

    node_id: str


@dataclass(frozen=True, slots=True)
class CompleteNode:
    """Every scope of this container has ended well."""

    node_id: str
    outputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FailNode:
    """The node has failed for good."""

    node_id: str
    error: str
    error_code: str


@dataclass(frozen=True, slots=True)
class ReportProgress:
    """More nodes have settled than the last progress event said, or a node reports its own."""

    progress: float
    completed_nodes: int
    total_nodes: int
    node_id: str | None = None
    node_progress: float | None = None


@dataclass(frozen=True, slots=True)
class CompleteExecution:
    """Every node is settled."""

    outputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FailExecution:
    """A node failed and nothing handled it, or a limit of the execution was passed."""

    error: str
    error_code: str
    node_id: str | None


Command = (
    StartExecution
    | StartNode
    | RetryNode
    | SkipNode
    | CompleteNode
    | FailNode
    | ReportProgress
    | CompleteExecution
    | FailExecution
)
