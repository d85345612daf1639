"""What an execution may record: nothing the log cannot hold, and no more than the memory shall."""

from __future__ import annotations

from typing import NamedTuple

from flowmaestro.events import (
    EventEncodeError,
    LoggedEvent,
    NodeExpanded,
    content_bytes,
    encode_event,
)
from flowmaestro.workflow import (
    EXECUTION_TOO_LARGE,
    OUTPUTS_TOO_LARGE,
    TOO_MANY_NODES,
    ExecutionState,
    NodeState,
    held_after_completing,
    held_after_expanding,
    nodes_after_expanding,
)

from .execute_node import Failed
from .options import EngineOptions


class Taken(NamedTuple):
    """An event's JSON, and how large the outputs or scopes in it are."""

    data: str
    content_bytes: int


class Bounds:
    """Asked before what comes of a node is recorded. What it refuses is recorded as a failure, so
    the log says what was decided, and a bound may be another one after a restart."""

    def __init__(self, options: EngineOptions, state: ExecutionState) -> None:
        self._options = options
        self._state = state

    def unopenable(self, node: NodeState, scopes: int) -> Failed | None:
        """Say why so many scopes of a container cannot be opened, if so."""
        depth, scope = 1, node.scope
        while scope.parent is not None:
            depth, scope = depth + 1, scope.parent
        limit = self._options.max_depth
        if depth > limit:
            message = f"loops and called workflows hold each other more than {limit} deep"
            return Failed(message, "too_deep", retryable=False)
        called = node.node.workflow_id
        if node.node.body is None and called not in self._state.called:
            message = f"the workflow {called!r} did not exist when this execution was accepted"
            return Failed(message, "unknown_workflow", retryable=False)
        nodes = nodes_after_expanding(self._state, node, scopes)
        limit = self._options.max_execution_nodes
        if nodes > limit:
            message = (
                f"the execution would have {nodes:,} nodes, those of all iterations and called "
                f"workflows included, and {limit:,} are allowed"
            )
            return Failed(message, TOO_MANY_NODES, retryable=False)
        return None

    def take(self, event: LoggedEvent, node: NodeState | None = None) -> Taken | Failed:
        """Return the JSON of *event*, which ends or opens *node*; or why it cannot be recorded."""
        try:
            data = encode_event(event)
        except EventEncodeError as error:
            message = f"the outputs cannot be stored as JSON: {error.path} {error.reason}"
            return Failed(message, "invalid_outputs", retryable=False)
        size = len(data) if data.isascii() else len(data.encode())
        limit = self._options.max_outputs_bytes
        if size > limit:
            message = f"the outputs are {size:,} bytes of JSON, and {limit:,} are allowed"
            return Failed(message, OUTPUTS_TOO_LARGE, retryable=False)
        if node is None:
            return Taken(data, 0)
        content = content_bytes(event, data)
        if type(event) is NodeExpanded:  # `isinstance` of a pydantic model is slow where it is not
            held = held_after_expanding(self._state, node, len(event.scopes), content)
        else:
            held = held_after_completing(self._state, node, content)
        limit = self._options.max_execution_bytes
        if held > limit:
            message = (
                f"the execution would hold {held:,} bytes in memory, with the outputs of its nodes "
                f"and the items of its loops as JSON, and {limit:,} are allowed"
            )
            return Failed(message, EXECUTION_TOO_LARGE, retryable=False)
        return Taken(data, content)
