"""What an execution holds in memory, counted, and the bounds of it.

Counted is what grows with what an author's nodes give: outputs as long as their scope is open, the
items of open loops, what their iterations gave, and a fixed size for the scopes that may be open
at once and their nodes. The counts are a part of the state, so a fold of the log; sizes are those
of the log's JSON. The bounds are an operator's and may change while an execution runs: what they
decided is recorded, and a fold asks nothing of them but which loops must fail.
"""

from __future__ import annotations

from typing import cast

from .commands import FailNode
from .container import Container, reserved_bytes
from .scope import NodeState
from .state import ExecutionState

OUTPUTS_TOO_LARGE = "outputs_too_large"
"""The error code of a node whose outputs are over the bound of one node."""
TOO_MANY_NODES = "too_many_nodes"
"""The error code of a container whose nodes would be too many for one execution."""


def held_after_completing(state: ExecutionState, node: NodeState, outputs_bytes: int) -> int:
    """Return the bytes the execution holds once *node* has completed with so large outputs."""
    freed = 0 if node.container is None else node.container.held_bytes
    return state.held_bytes - freed + outputs_bytes


def held_after_expanding(
    state: ExecutionState, node: NodeState, scopes: int, scopes_bytes: int
) -> int:
    """Return the bytes the execution holds once the container *node* is open with its *scopes*."""
    reserved = reserved_bytes(node.node, state.body(node), scopes)
    return state.held_bytes + scopes_bytes + reserved


def nodes_after_expanding(state: ExecutionState, node: NodeState, scopes: int) -> int:
    """Return how many nodes the execution has once the container *node* is open."""
    return state.total_nodes + scopes * len(state.body(node).nodes)


def fail_oversized(state: ExecutionState) -> FailNode:
    """Return the failure of the first of the loops whose results can no longer be their outputs."""
    path, node = next(iter(state.oversized_loops.items()))
    container = cast(Container, node.container)
    message = (
        f"the outputs are {container.results_bytes:,} bytes of JSON after {container.finished:,} "
        f"of {len(container.results):,} items, and {state.max_results_bytes:,} are allowed"
    )
    return FailNode(path, message, OUTPUTS_TOO_LARGE)
