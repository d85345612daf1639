"""Workflows, pure and deterministic: definitions, expressions, and the scheduler.

Reading order: ``definition`` (what an author writes), ``validation``, ``expressions``, then
``graph``, ``scope`` and ``state`` (a fold of events), ``commands`` and ``decide`` (what to do
next), ``record`` (the event that says it was done).
"""

from .catalog import Catalog, NodeTypeSpec
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
from .decide import (
    MAX_INTERRUPTIONS,
    after_failure,
    after_interruption,
    decide,
    next_retry_at,
    progress,
)
from .definition import (
    Definition,
    EdgeDefinition,
    NodeDefinition,
    RetryPolicy,
    Settings,
    to_document,
)
from .documents import parse_document
from .graph import Graph, GraphNode
from .inputs import check_inputs, input_schema
from .limits import Limits
from .problems import InvalidDefinition, Problem
from .record import Recorder, idempotency_key, milliseconds_between
from .scope import NodeState, NodeStatus, Scope, ScopeNames
from .state import ExecutionState, InconsistentLog
from .validation import validate

__all__ = [
    "MAX_INTERRUPTIONS",
    "Catalog",
    "Command",
    "CompleteExecution",
    "CompleteNode",
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
    "decide",
    "idempotency_key",
    "input_schema",
    "milliseconds_between",
    "next_retry_at",
    "parse_document",
    "progress",
    "to_document",
    "validate",
]
