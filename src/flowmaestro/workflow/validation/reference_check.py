"""Checks of what expressions refer to: nodes that exist, and that run before the one that asks.

What is not certain is not reported: a name that is also a variable or a declared input, one that
``default`` or ``is defined`` guards, and the order of nodes whose edges are broken. That a name may
be an input that is not declared does not count: whether it is hidden would be a matter of timing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_camel

from flowmaestro.workflow.catalog import NodeTypeSpec
from flowmaestro.workflow.expressions import Template
from flowmaestro.workflow.problems import Path, Problems, shorten

RESERVED_NAMES = frozenset({"inputs", "nodes", "secrets"})
"""Roots of expressions that no variable may hide."""
_VARIABLE_FIELDS = ("output_variable", "input_variable")
_ITEM_FIELDS = ("item_variable", "index_variable")


class NodeScope:
    """The nodes of a definition, or of a loop's body, as expressions see them.

    :param nodes: the nodes by id, as written.
    :param edges: the edges, as written.
    :param outer: the loop whose body this is, and its scope.
    :param item_names: what that loop calls its item and index.
    """

    def __init__(
        self,
        nodes: Mapping[str, Any],
        edges: object,
        *,
        outer: Viewpoint | None = None,
        item_names: Iterable[str] = (),
    ) -> None:
        self.outer = outer
        self.own_ids = nodes.keys()
        self.visible_ids: frozenset[str] = frozenset(nodes)
        if outer is not None:
            self.visible_ids |= outer.scope.visible_ids
        self.other_names = frozenset({*item_names, *_names_of_values(nodes)})
        """Names that mean something else than the outputs of the node of that id."""
        self._places = {node_id: place for place, node_id in enumerate(nodes)}
        self._before = _nodes_before(self._places, edges)

    def runs_before(self, node_id: str, other: str) -> bool:
        """Whether edges lead from *node_id* to *other*; true as well where that cannot be told."""
        before = self._before.get(other)
        return before is None or bool(before >> self._places[node_id] & 1)


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """A node and the scope it is in: where an expression is looked at from."""

    scope: NodeScope
    node_id: str

    def check(self, template: Template, path: Path, problems: Problems) -> None:
        """Add a problem for each node that *template* names and that is not there, or has not run
        when the template is rendered."""
        for root, field in sorted(template.members, key=str):
            if root == "nodes" and field is not None:
                if field not in self.scope.visible_ids:
                    message = (
                        f"The expression refers to the node '{shorten(field)}', which does not "
                        f"exist.{problems.suggest(field, self.scope.visible_ids)}"
                    )
                    problems.add(path, "unknown_node", message)
                else:
                    self._check_order(field, path, problems, is_name=False)
        for name in sorted(template.required_names - RESERVED_NAMES):
            if name in self.scope.visible_ids:
                self._check_order(name, path, problems, is_name=True)

    def _check_order(self, node_id: str, path: Path, problems: Problems, *, is_name: bool) -> None:
        found = None
        for viewpoint in self._outwards():
            scope = viewpoint.scope
            if is_name and node_id in scope.other_names:
                return
            if node_id in scope.own_ids:
                if scope.runs_before(node_id, viewpoint.node_id):
                    return
                if is_name and node_id == viewpoint.node_id:
                    continue  # its own name is not its outputs yet: only an input can be meant
                found = found or viewpoint
        if found is None:
            return
        if node_id == found.node_id:
            what = f"refers to '{shorten(node_id)}', whose outputs are not there before it has run."
        else:
            what = (
                f"refers to '{shorten(node_id)}', which does not run before "
                f"'{shorten(found.node_id)}': add a path of edges between them."
            )
        hint = f" If an input is meant, write 'inputs.{shorten(node_id)}'." if is_name else ""
        problems.add(path, "not_before", f"The expression {what}{hint}")

    def _outwards(self) -> Iterator[Viewpoint]:
        viewpoint: Viewpoint | None = self
        while viewpoint is not None:
            yield viewpoint
            viewpoint = viewpoint.scope.outer


def item_names(config: Mapping[str, Any], spec: NodeTypeSpec) -> Iterator[str]:
    """Yield the names that a loop gives its item and index."""
    for key in _ITEM_FIELDS:
        field = spec.config_model.model_fields.get(key)
        name = config.get(key, field.default if field is not None else None)
        if isinstance(name, str):
            yield name


def _names_of_values(nodes: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of declared inputs and of variables, but for a variable that holds just the
    outputs of the node whose id it has."""
    for node_id, node in nodes.items():
        config = node.get("config") if isinstance(node, dict) else None
        if not isinstance(config, dict):
            continue
        for key in ("input_name", *_VARIABLE_FIELDS):
            name = config.get(key, config.get(to_camel(key)))
            if isinstance(name, str) and (key == "input_name" or name != node_id):
                yield name


def _nodes_before(places: Mapping[str, int], edges: object) -> dict[str, int]:
    """Return the nodes that lead to each node, as a set of bits by place in the document.

    A node on a cycle or behind one is left out; if an edge is broken, all are.
    """
    following: dict[str, list[str]] = {node_id: [] for node_id in places}
    waits_for = dict.fromkeys(places, 0)
    for edge in edges if isinstance(edges, list) else [None]:
        source = edge.get("source") if isinstance(edge, dict) else None
        target = edge.get("target") if isinstance(edge, dict) else None
        if not (isinstance(source, str) and isinstance(target, str)):
            return {}
        if source not in places or target not in places:
            return {}
        following[source].append(target)
        waits_for[target] += 1
    bits = dict.fromkeys(places, 0)
    settled: dict[str, int] = {}
    ready = deque(node_id for node_id, count in waits_for.items() if count == 0)
    while ready:
        node_id = ready.popleft()
        settled[node_id] = bits[node_id]
        for target in following[node_id]:
            bits[target] |= bits[node_id] | 1 << places[node_id]
            waits_for[target] -= 1
            if waits_for[target] == 0:
                ready.append(target)
    return settled
