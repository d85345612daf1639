"""A container node that is open: the scopes of a loop, or the one of a called workflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .graph import Graph, GraphNode
from .scope import NodeState, Scope

OPEN_SCOPE_BYTES = 1_000
OPEN_NODE_BYTES = 300
"""What an open scope, and each node in it, is taken to hold beside outputs and names."""


def reserved_bytes(node: GraphNode, body: Graph, scopes: int) -> int:
    """Return what a container of so many *scopes* needs for those that may be open at once."""
    at_once = min(scopes, node.max_concurrency if node.body is not None else 1)
    return at_once * (OPEN_SCOPE_BYTES + len(body.nodes) * OPEN_NODE_BYTES)


class Container:
    """The scopes of an open container node.

    :param node: the container node.
    :param body: the graph that each scope runs.
    :param scope_names: the names that each scope adds, in the scopes' order.
    :param names_bytes: how large they are, as JSON.
    """

    __slots__ = (
        "body",
        "finished",
        "next_index",
        "node",
        "open_scopes",
        "own_bytes",
        "results",
        "results_bytes",
        "scope_names",
    )

    def __init__(
        self,
        node: NodeState,
        body: Graph,
        scope_names: list[dict[str, Any]],
        names_bytes: int = 0,
    ) -> None:
        self.node = node
        self.body = body
        self.scope_names = scope_names
        self.results: list[dict[str, Any] | None] = [None] * len(scope_names)
        self.next_index = 0
        self.finished = 0
        self.own_bytes = names_bytes + reserved_bytes(node.node, body, len(scope_names))
        self.results_bytes = 0
        """How large the results are, as JSON, at least."""
        self.open_scopes: dict[int, Scope] = {}
        """By index, the one that was opened first in front."""

    @property
    def is_loop(self) -> bool:
        """Whether the scopes are a loop's iterations; else there is one, of a called workflow."""
        return self.node.node.body is not None

    @property
    def is_finished(self) -> bool:
        """Whether every scope has ended well."""
        return self.finished == len(self.results)

    @property
    def outputs(self) -> dict[str, Any]:
        """What the container node gives, once it is finished."""
        if self.is_loop:
            return {"results": list(self.results)}
        return dict(self.results[0] or {})

    @property
    def held_bytes(self) -> int:
        """What is held as long as the container is open."""
        in_scopes = sum(scope.held_bytes for scope in self.open_scopes.values())
        return self.own_bytes + self.results_bytes + in_scopes

    @property
    def unsettled(self) -> int:
        """How many nodes the container's end settles: they are known, and will never run."""
        count = (len(self.scope_names) - self.next_index) * len(self.body.nodes)
        for scope in self.open_scopes.values():
            count += scope.unsettled
            count += sum(
                node.container.unsettled
                for node in scope.nodes.values()
                if node.container is not None
            )
        return count

    def open_more(self, at: datetime) -> list[Scope]:
        """Open scopes, as many as may be open at once, and return the new ones."""
        opened = []
        limit = self.node.node.max_concurrency if self.is_loop else 1
        while self.next_index < len(self.scope_names) and len(self.open_scopes) < limit:
            index = self.next_index
            self.next_index += 1
            scope = Scope(
                self.body,
                prefix=f"{self.node.path}[{index}]." if self.is_loop else f"{self.node.path}.",
                names=self.scope_names[index],
                outer=self.node.scope if self.is_loop else None,
                container=self.node,
                index=index,
                opened_at=at,
            )
            self.open_scopes[index] = scope
            opened.append(scope)
        return opened

    def close(self, scope: Scope) -> None:
        """Keep what *scope*, whose nodes are all settled, gives."""
        self.results[scope.index] = scope.graph.collect_outputs(scope.outputs)
        result_bytes = scope.graph.result_bytes(scope.outputs_bytes)
        self.results_bytes += result_bytes
        self.node.scope.hold(result_bytes - scope.held_bytes)
        self.finished += 1
        del self.open_scopes[scope.index]

    def descendants(self) -> Iterator[NodeState]:
        """Yield every node in the open scopes, at any depth."""
        for scope in self.open_scopes.values():
            for node in scope.nodes.values():
                yield node
                if node.container is not None:
                    yield from node.container.descendants()
