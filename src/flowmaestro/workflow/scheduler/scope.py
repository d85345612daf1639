"""A scope: one run of one graph, with the names its expressions see.

The workflow itself is the root scope; each iteration of a loop and each called workflow opens
another one below the container node it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from .graph import Graph, GraphNode

if TYPE_CHECKING:
    from .container import Container


class NodeStatus(Enum):
    WAITING = "waiting"
    """Not every edge into it is settled."""
    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    """An attempt failed; the next one starts when its delay is over."""
    OPEN = "open"
    """A container whose scopes are running."""
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(slots=True, eq=False)
class NodeState:
    """Where one node stands."""

    path: str
    """The node's id as events give it: ``NODE``, ``LOOP[INDEX].NODE`` or ``CALL.NODE``."""
    node: GraphNode
    scope: Scope
    unsettled_edges: int
    status: NodeStatus = NodeStatus.WAITING
    reached: bool = False
    """Whether an edge into the node was taken."""
    attempt: int = 0
    failures: int = 0
    interruptions: int = 0
    started_at: datetime | None = None
    retry_at: datetime | None = None
    resumed_from: datetime | None = None
    """When the first of the attempts began that the ends of servers have cut off, one after the
    other; ``None`` if the last one was not."""
    progress: float = 0
    """What the running attempt said of itself, 0 to 100."""
    container: Container | None = None
    """The scopes of a container that is open."""


class Scope:
    """One run of a graph.

    :param prefix: what stands before a node's id in its path: ``""``, ``"loop[0]."``, ``"call."``.
    :param names: the names the scope adds: the inputs of a workflow, a loop's item and index.
    :param outer: the scope whose names are visible too; ``None`` where a workflow begins.
    :param container: the container node this scope belongs to; ``None`` for the root.
    :param opened_at: when its first nodes were ready; ``None`` as long as they are not.
    """

    __slots__ = (
        "container",
        "graph",
        "held_bytes",
        "index",
        "inputs",
        "names",
        "nodes",
        "opened_at",
        "outer",
        "outputs",
        "outputs_bytes",
        "prefix",
        "running",
        "unsettled",
        "variables",
    )

    def __init__(
        self,
        graph: Graph,
        *,
        prefix: str,
        names: Mapping[str, Any],
        outer: Scope | None,
        container: NodeState | None,
        index: int,
        opened_at: datetime | None,
    ) -> None:
        self.graph = graph
        self.prefix = prefix
        self.names: Mapping[str, Any] = (
            names if outer is not None else {**graph.default_inputs, **names}
        )
        self.outer = outer
        self.container = container
        self.index = index
        self.opened_at = opened_at
        self.inputs: Mapping[str, Any] = self.names if outer is None else outer.inputs
        self.outputs: dict[str, dict[str, Any]] = {}
        self.outputs_bytes: dict[str, int] = {}
        """How large each node's outputs are, as JSON."""
        self.held_bytes = 0
        """What is held by this scope and by all within it."""
        self.variables: dict[str, Any] = {}
        self.running = 0
        self.unsettled = len(graph.nodes)
        self.nodes = {
            node_id: NodeState(prefix + node_id, node, self, node.incoming_count)
            for node_id, node in graph.nodes.items()
        }

    @property
    def parent(self) -> Scope | None:
        """The scope that holds this one's container node."""
        return self.container.scope if self.container is not None else None

    def count_running(self, change: int) -> None:
        """Add *change* to the running nodes of this scope and of all around it."""
        level: Scope | None = self
        while level is not None:
            level.running += change
            level = level.parent

    def hold(self, change: int) -> None:
        """Add *change* bytes to what this scope and all around it hold."""
        level: Scope | None = self
        while level is not None:
            level.held_bytes += change
            level = level.parent


class ScopeNames(Mapping[str, Any]):
    """What an expression in a scope may name, looked up when it is asked for.

    The nearest scope wins; within one scope a variable hides a node's outputs, and these hide an
    input. ``inputs`` and ``nodes`` reach all inputs and all outputs by id, and *extra* (the
    operator's secrets, say) hides everything.
    """

    __slots__ = ("_extra", "_scope")

    def __init__(self, scope: Scope, extra: Mapping[str, Any] | None = None) -> None:
        self._scope = scope
        self._extra = extra or {}

    def __getitem__(self, name: str) -> Any:
        if name in self._extra:
            return self._extra[name]
        if name == "inputs":
            return dict(self._scope.inputs)
        if name == "nodes":
            return self._all_outputs()
        scope: Scope | None = self._scope
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            if name in scope.outputs:
                return scope.outputs[name]
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        seen: dict[str, None] = dict.fromkeys((*self._extra, "inputs", "nodes"))
        scope: Scope | None = self._scope
        while scope is not None:
            seen |= dict.fromkeys((*scope.variables, *scope.outputs, *scope.names))
            scope = scope.outer
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _all_outputs(self) -> dict[str, dict[str, Any]]:
        merged: dict[str, dict[str, Any]] = {}
        scope: Scope | None = self._scope
        while scope is not None:
            merged = scope.outputs | merged
            scope = scope.outer
        return merged
