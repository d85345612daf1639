"""The state of an execution: a fold of its log, and nothing else.

:class:`ExecutionState` is changed by :meth:`ExecutionState.apply` alone, one event after the other
in the order of their numbers. It is deterministic: the same definitions, inputs and events give the
same state, whoever folds them and whenever. What to do next is read off it by
:func:`flowmaestro.workflow.decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

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
)
from flowmaestro.events import Status as ExecutionStatus

from .container import Container
from .graph import Graph
from .scope import NodeState, NodeStatus, Scope

EXECUTION_TOO_LARGE = "execution_too_large"
"""The error code of a node for whose outputs or scopes the execution has no room left. No
``on_error`` handles it: what would go on would only come to the same bound again."""


@dataclass(frozen=True, slots=True)
class ScopeFailure:
    """Why a scope cannot go on: the node whose failure its ``on_error`` did not handle."""

    node_id: str
    error: str
    error_code: str


class InconsistentLog(Exception):
    """An event that cannot follow the ones before it: the log is not one of this execution."""


class ExecutionState:
    """Where an execution stands.

    :param graph: the executed workflow.
    :param inputs: the execution's inputs by name.
    :param called: the graphs that ``workflow`` nodes may call, by workflow id.
    :param max_results_bytes: the largest outputs of a loop; ``None`` is no limit. It changes what
        is decided from the state, and not which events may follow.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, Any],
        called: Mapping[str, Graph] | None = None,
        *,
        max_results_bytes: int | None = None,
    ) -> None:
        self.graph = graph
        self.max_results_bytes = max_results_bytes
        self.called = called or {}
        self.status: ExecutionStatus = "pending"
        self.started_at: datetime | None = None
        self.progress: float = 0
        self.current_node: str | None = None
        self.total_nodes = len(graph.nodes)
        self.settled_nodes = 0
        self.reported_settled_nodes = 0
        self.last_number = 0
        """How many events were applied."""
        self.now = datetime.min.replace(tzinfo=UTC)
        """When the last of them happened: the only clock of a fold."""

        self.root = Scope(
            graph, prefix="", names=inputs, outer=None, container=None, index=0, opened_at=None
        )
        self.failure: ScopeFailure | None = None
        # What waits for a decision, each in the order it came about (dicts serve as ordered sets).
        self.ready: dict[str, NodeState] = {}
        self.unreached: dict[str, NodeState] = {}
        self.retrying: dict[str, NodeState] = {}
        self.running: dict[str, NodeState] = {}
        self.open_containers: dict[str, NodeState] = {}
        self.finished_containers: dict[str, NodeState] = {}
        self.failed_containers: dict[str, ScopeFailure] = {}
        self.oversized_loops: dict[str, NodeState] = {}
        self._content_bytes = 0

    @property
    def ended(self) -> bool:
        """Whether the log has its terminal event."""
        return self.status in ("completed", "failed", "cancelled")

    @property
    def outputs(self) -> dict[str, Any]:
        """What the workflow gives, from what has completed so far."""
        return self.root.graph.collect_outputs(self.root.outputs)

    @property
    def held_bytes(self) -> int:
        """What the execution holds in memory, as it is counted: see ``memory``."""
        return self.root.held_bytes

    def body(self, node: NodeState) -> Graph:
        """Return the graph that each scope of the container *node* runs.

        :raises InconsistentLog: if it calls a workflow that is not pinned.
        """
        if node.node.body is not None:
            return node.node.body
        try:
            return self.called[cast(str, node.node.workflow_id)]
        except KeyError:
            raise InconsistentLog(f"{node.path!r} calls a workflow that is not pinned") from None

    def find(self, path: str) -> NodeState:
        """Return the node at *path*.

        :raises InconsistentLog: if no scope that is open holds such a node.
        """
        node = self.ready.get(path) or self.running.get(path) or self._search(path)
        if node is None:
            raise InconsistentLog(f"no open scope holds a node {path!r}")
        return node

    def apply(self, event: Event, content_bytes: int = 0) -> None:
        """Take the next event of the log into account. Types that change nothing are passed over.

        :param content_bytes: how large the outputs or scopes are that it brings, as JSON.
        :raises InconsistentLog: if the event cannot follow the ones before it.
        """
        if self.ended:
            raise InconsistentLog(f"{event.type} after the end of the log")
        self.now = event.timestamp
        self._content_bytes = content_bytes
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
        self.last_number += 1

    def apply_all(self, events: Iterable[Event]) -> ExecutionState:
        """Apply *events* in order and return the state itself."""
        for event in events:
            self.apply(event)
        return self

    # Events, one handler each.

    def _execution_started(self, event: ExecutionStarted) -> None:
        self.status = "running"
        self.started_at = event.started_at
        self.root.opened_at = event.started_at
        self._open(self.root)

    def _execution_progress(self, event: ExecutionProgress) -> None:
        self.progress = event.progress
        self.current_node = event.current_node
        self.reported_settled_nodes = event.completed_nodes
        if event.node_progress is not None and event.current_node in self.running:
            self.running[event.current_node].progress = event.node_progress

    def _execution_ended(
        self, event: ExecutionCompleted | ExecutionFailed | ExecutionCancelled
    ) -> None:
        self.status = event.status

    def _node_started(self, event: NodeStarted) -> None:
        node = self.ready.pop(event.node_id, None) or self.retrying.pop(event.node_id, None)
        if node is None:
            raise InconsistentLog(f"{event.node_id!r} started without being ready")
        node.status = NodeStatus.RUNNING
        node.attempt = event.attempt
        node.started_at = event.started_at
        node.retry_at = None
        node.progress = 0
        self.current_node = node.path
        self.running[node.path] = node
        node.scope.count_running(+1)

    def _node_retrying(self, event: NodeRetrying) -> None:
        node = self._stop_running(event.node_id)
        node.status = NodeStatus.RETRYING
        node.retry_at = event.timestamp + timedelta(milliseconds=event.delay_ms)
        if event.interrupted:
            node.interruptions += 1
            node.resumed_from = node.resumed_from or node.started_at
        else:
            node.failures += 1
            node.resumed_from = None
        self.retrying[node.path] = node

    def _node_expanded(self, event: NodeExpanded) -> None:
        node = self._stop_running(event.node_id)
        node.status = NodeStatus.OPEN
        body = self.body(node)
        node.container = Container(node, body, event.scopes, self._content_bytes)
        node.scope.hold(node.container.own_bytes)
        self.total_nodes += len(event.scopes) * len(node.container.body.nodes)
        self.open_containers[node.path] = node
        self._go_on(node.container)

    def _node_completed(self, event: NodeCompleted) -> None:
        node = self._leave(event.node_id)
        node.status = NodeStatus.COMPLETED
        scope = node.scope
        config = node.node.definition.config
        if node.node.type == "input":
            name = config.get("input_variable") or config.get("input_name")
            if isinstance(name, str):
                scope.variables[name] = event.outputs.get("value")
        self._keep(node, event.outputs, self._content_bytes)
        self._settle(node, event.handle)

    def _node_failed(self, event: NodeFailed) -> None:
        node = self._leave(event.node_id)
        node.status = NodeStatus.FAILED
        if event.error_code == EXECUTION_TOO_LARGE:
            self.failure = ScopeFailure(node.path, event.error, event.error_code)
            return
        on_error = node.node.definition.on_error
        if on_error is None or on_error.strategy == "fail":
            self._fail_scope(node.scope, ScopeFailure(node.path, event.error, event.error_code))
            return
        handle: str | None = "default"
        if on_error.strategy == "fallback":
            value = on_error.fallback_value
            outputs = value if isinstance(value, dict) else {"value": value}
            handle = value if isinstance(value, str) else handle
            new_bytes = 0  # it is the definition's
        else:
            outputs = {"error": event.error, "error_code": event.error_code}
            new_bytes = len(event.error) + len(event.error_code)
        self._keep(node, outputs, new_bytes)
        self._settle(node, handle)

    def _node_skipped(self, event: NodeSkipped) -> None:
        node = self.unreached.pop(event.node_id, None)
        if node is None:
            raise InconsistentLog(f"{event.node_id!r} skipped although it can be reached")
        node.status = NodeStatus.SKIPPED
        self._settle(node, None)

    # Scopes.

    def _keep(self, node: NodeState, outputs: dict[str, Any], outputs_bytes: int) -> None:
        """Give a node's outputs their names, for as long as its scope is open."""
        scope = node.scope
        scope.outputs[node.node.id] = outputs
        scope.outputs_bytes[node.node.id] = outputs_bytes
        scope.hold(outputs_bytes)
        variable = node.node.definition.config.get("output_variable")
        if isinstance(variable, str) and variable:
            scope.variables[variable] = outputs

    def _open(self, scope: Scope) -> None:
        for node in scope.nodes.values():
            if node.unsettled_edges == 0:
                node.status = NodeStatus.READY
                self.ready[node.path] = node

    def _settle(self, node: NodeState, handle: str | None) -> None:
        """Settle the edges that leave *node*; all of a skipped node's are not taken."""
        scope = node.scope
        live = node.status is not NodeStatus.SKIPPED
        for edge in node.node.outgoing:
            target = scope.nodes[edge.target]
            target.unsettled_edges -= 1
            if live and (edge.source_handle is None or edge.source_handle == handle):
                target.reached = True
            if target.unsettled_edges == 0:
                if target.reached:
                    target.status = NodeStatus.READY
                    self.ready[target.path] = target
                else:
                    self.unreached[target.path] = target
        self.settled_nodes += 1
        scope.unsettled -= 1
        if scope.unsettled == 0 and scope.container is not None:
            self._close(scope, scope.container)

    def _close(self, scope: Scope, node: NodeState) -> None:
        container = cast(Container, node.container)
        container.close(scope)
        if (
            container.is_loop
            and self.max_results_bytes is not None
            and container.results_bytes > self.max_results_bytes
        ):
            self.oversized_loops[node.path] = node
        self._go_on(container)

    def _go_on(self, container: Container) -> None:
        """Open the scopes that a container may open now, or note that it is finished."""
        if container.is_finished:
            self.finished_containers[container.node.path] = container.node
        for scope in container.open_more(self.now):
            self._open(scope)

    def _fail_scope(self, scope: Scope, failure: ScopeFailure) -> None:
        if scope.container is None:
            self.failure = self.failure or failure
        else:
            node = scope.container
            self.failed_containers.setdefault(node.path, failure)

    # Leaving the sets.

    def _stop_running(self, path: str) -> NodeState:
        node = self.running.pop(path, None)
        if node is None:
            raise InconsistentLog(f"{path!r} is not running")
        node.scope.count_running(-1)
        return node

    def _leave(self, path: str) -> NodeState:
        """Take a node that ends out of the running nodes, the retrying ones or the open
        containers; the end of a container ends all it holds."""
        if path in self.running:
            return self._stop_running(path)
        node = self.open_containers.pop(path, None)
        if node is None:
            raise InconsistentLog(f"{path!r} ended without running")
        self.finished_containers.pop(path, None)
        self.failed_containers.pop(path, None)
        self.oversized_loops.pop(path, None)
        container = cast(Container, node.container)
        node.scope.hold(-container.held_bytes)
        self.settled_nodes += container.unsettled
        for inner in container.descendants():
            if inner.status is NodeStatus.RUNNING:
                self._stop_running(inner.path)
            for pending in (
                self.ready,
                self.unreached,
                self.retrying,
                self.open_containers,
                self.finished_containers,
                self.failed_containers,
                self.oversized_loops,
            ):
                pending.pop(inner.path, None)
        node.container = None
        return node

    def _search(self, path: str) -> NodeState | None:
        for candidates in (self.retrying, self.open_containers, self.unreached):
            if path in candidates:
                return candidates[path]
        return self.root.nodes.get(path)


_HANDLERS: dict[type[Event], Callable[[ExecutionState, Any], None]] = {
    ExecutionStarted: ExecutionState._execution_started,
    ExecutionProgress: ExecutionState._execution_progress,
    ExecutionCompleted: ExecutionState._execution_ended,
    ExecutionFailed: ExecutionState._execution_ended,
    ExecutionCancelled: ExecutionState._execution_ended,
    NodeStarted: ExecutionState._node_started,
    NodeRetrying: ExecutionState._node_retrying,
    NodeExpanded: ExecutionState._node_expanded,
    NodeCompleted: ExecutionState._node_completed,
    NodeFailed: ExecutionState._node_failed,
    NodeSkipped: ExecutionState._node_skipped,
}
