"""What an operator may set of an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flowmaestro.storage import Execution
from flowmaestro.workflow.trace_context import TraceContext


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The bounds of one engine."""

    max_running_nodes: int = 256
    """Nodes that run at once, over all executions; further ones wait, and start in turn."""
    max_active_executions: int = 1_000
    """Executions that are held in memory; further ones stay pending until one ends."""
    max_unfinished_executions: int = 100_000
    """Executions that may be pending or running; over it new ones are refused."""
    default_node_timeout_ms: int | None = 3_600_000
    """For nodes whose definition has no ``timeout_ms``; ``None`` is no limit."""
    default_execution_timeout_ms: int | None = None
    """For workflows whose settings have no ``timeout_ms``; ``None`` is no limit."""
    max_outputs_bytes: int = 1_000_000
    """The largest outputs of one node or execution, as JSON."""
    max_depth: int = 16
    """How deep loops and called workflows may hold each other."""
    trace: Callable[[Execution], TraceContext | None] | None = field(default=None, repr=False)
    """Called with each execution that is about to run; returns its root in the trace that it is
    part of, if it is part of any."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What ``secrets.NAME`` gives in a node's config."""
