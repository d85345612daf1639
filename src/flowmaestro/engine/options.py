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
    max_starting_executions: int = 500
    """Executions that may be on their way from a request to their first event; over it new ones are
    refused."""
    max_start_delay_seconds: float | None = None
    """How long that way may get before new ones are refused; a tenth of it when it has been that
    long for a while. ``None``: any time."""
    default_node_timeout_ms: int | None = 3_600_000
    """For nodes whose definition has no ``timeout_ms``; ``None`` is no limit."""
    default_execution_timeout_ms: int | None = None
    """For workflows whose settings have no ``timeout_ms``; ``None`` is no limit."""
    max_outputs_bytes: int = 1_000_000
    """The largest outputs of one node or execution, as JSON."""
    max_execution_bytes: int = 32 * 1024 * 1024
    """What one execution may hold in memory, as it is counted: outputs and items as JSON, and a
    fixed size for each scope that may be open and each of its nodes."""
    max_execution_nodes: int = 1_000_000
    """The nodes that one execution may have, those of its loops' iterations and of called workflows
    included."""
    max_depth: int = 16
    """How deep loops and called workflows may hold each other."""
    trace: Callable[[Execution], TraceContext | None] | None = field(default=None, repr=False)
    """Called with each execution that is about to run; returns its root in the trace that it is
    part of, if it is part of any."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What ``secrets.NAME`` gives in a node's config."""
