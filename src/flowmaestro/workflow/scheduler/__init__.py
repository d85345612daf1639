"""The scheduler: what follows from what has happened. Pure and deterministic.

::

    graph       a definition made ready: who follows whom
    scope       one run of a graph, and the names its expressions see
    container   the scopes of an open loop, or of a called workflow
    memory      what an execution holds, counted, and the bounds of it
    state       where an execution stands: a fold of its events
    commands    what can be done next
    decide      state → commands
    deadlines   what must end when, and what follows if it does not
    retry       how long to wait before another attempt
    record      command → event, and the key that has a log take it once
"""

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
from .container import Container
from .deadlines import Deadline, deadlines, overdue
from .decide import (
    MAX_INTERRUPTIONS,
    after_failure,
    after_interruption,
    decide,
    next_retry_at,
    progress,
)
from .graph import Graph, GraphNode
from .memory import (
    OUTPUTS_TOO_LARGE,
    TOO_MANY_NODES,
    held_after_completing,
    held_after_expanding,
    nodes_after_expanding,
)
from .record import Recorder, idempotency_key, milliseconds_between
from .scope import NodeState, NodeStatus, Scope, ScopeNames
from .state import EXECUTION_TOO_LARGE, ExecutionState, InconsistentLog

__all__ = [
    "EXECUTION_TOO_LARGE",
    "MAX_INTERRUPTIONS",
    "OUTPUTS_TOO_LARGE",
    "TOO_MANY_NODES",
    "Command",
    "CompleteExecution",
    "CompleteNode",
    "Container",
    "Deadline",
    "ExecutionState",
    "FailExecution",
    "FailNode",
    "Graph",
    "GraphNode",
    "InconsistentLog",
    "NodeState",
    "NodeStatus",
    "Recorder",
    "ReportProgress",
    "RetryNode",
    "Scope",
    "ScopeNames",
    "SkipNode",
    "StartExecution",
    "StartNode",
    "after_failure",
    "after_interruption",
    "deadlines",
    "decide",
    "held_after_completing",
    "held_after_expanding",
    "idempotency_key",
    "milliseconds_between",
    "next_retry_at",
    "nodes_after_expanding",
    "overdue",
    "progress",
]
