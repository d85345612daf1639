"""Workflows, pure and deterministic: definitions, expressions, and the scheduler.

::

    definition    what an author writes, as models
    documents     YAML and JSON texts, read within bounds
    catalog       what must be known of a node type
    validation    whether a document is a definition, and all that is wrong with it
    inputs        what a workflow takes
    expressions   ``{{ … }}`` in a config
    scheduler     a state that is a fold of events, and what to do next
"""

from .catalog import Catalog, NodeTypeSpec
from .definition import (
    Definition,
    EdgeDefinition,
    NodeDefinition,
    RetryPolicy,
    Settings,
    to_document,
)
from .documents import parse_document
from .inputs import check_inputs, input_schema
from .limits import Limits
from .problems import InvalidDefinition, Problem
from .scheduler import (
    EXECUTION_TOO_LARGE,
    MAX_INTERRUPTIONS,
    OUTPUTS_TOO_LARGE,
    TOO_MANY_NODES,
    Command,
    CompleteExecution,
    CompleteNode,
    Deadline,
    ExecutionState,
    FailExecution,
    FailNode,
    Graph,
    GraphNode,
    InconsistentLog,
    NodeState,
    NodeStatus,
    Recorder,
    ReportProgress,
    RetryNode,
    Scope,
    ScopeNames,
    SkipNode,
    StartExecution,
    StartNode,
    after_failure,
    after_interruption,
    deadlines,
    decide,
    held_after_completing,
    held_after_expanding,
    idempotency_key,
    milliseconds_between,
    next_retry_at,
    nodes_after_expanding,
    overdue,
    progress,
)
from .validation import validate

__all__ = [
    "EXECUTION_TOO_LARGE",
    "MAX_INTERRUPTIONS",
    "OUTPUTS_TOO_LARGE",
    "TOO_MANY_NODES",
    "Catalog",
    "Command",
    "CompleteExecution",
    "CompleteNode",
    "Deadline",
    "Definition",
    "EdgeDefinition",
    "ExecutionState",
    "FailExecution",
    "FailNode",
    "Graph",
    "GraphNode",
    "InconsistentLog",
    "InvalidDefinition",
    "Limits",
    "NodeDefinition",
    "NodeState",
    "NodeStatus",
    "NodeTypeSpec",
    "Problem",
    "Recorder",
    "ReportProgress",
    "RetryNode",
    "RetryPolicy",
    "Scope",
    "ScopeNames",
    "Settings",
    "SkipNode",
    "StartExecution",
    "StartNode",
    "after_failure",
    "after_interruption",
    "check_inputs",
    "deadlines",
    "decide",
    "held_after_completing",
    "held_after_expanding",
    "idempotency_key",
    "input_schema",
    "milliseconds_between",
    "next_retry_at",
    "nodes_after_expanding",
    "overdue",
    "parse_document",
    "progress",
    "to_document",
    "validate",
]
