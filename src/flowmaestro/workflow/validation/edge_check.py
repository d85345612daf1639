"""Checks of a definition's edges, one by one: their ends, and the handles they leave by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowmaestro.workflow.catalog import Catalog
from flowmaestro.workflow.definition import EdgeDefinition
from flowmaestro.workflow.expressions import has_template
from flowmaestro.workflow.limits import Limits
from flowmaestro.workflow.problems import Path, Problems, listing, shorten, type_name
from flowmaestro.workflow.validation.graph_check import Edge
from flowmaestro.workflow.validation.model_check import check_length, check_model


class EdgeChecker:
    """Checks the edges of a definition and of its loops' bodies."""

    def __init__(self, catalog: Catalog, limits: Limits, problems: Problems) -> None:
        self._catalog = catalog
        self._limits = limits
        self._problems = problems
        self._edge_count = 0

    def check(
        self, edges: list[Any], nodes: Mapping[str, Any], path: Path
    ) -> tuple[list[Edge], bool]:
        """Return the edges that the graph can have, and whether all edges have both their ends."""
        self._edge_count += len(edges)
        if self._edge_count > self._limits.max_edges:
            message = f"There are more than {self._limits.max_edges:,} edges, bodies included."
            self._problems.add(path, "limit", message)
            return [], False
        ways = _Ways(nodes, self._catalog)
        seen: dict[tuple[str, str, str | None], int] = {}
        sound: list[Edge] = []
        complete = True
        for index, edge in enumerate(edges):
            place = (*path, index)
            ends = self._check_ends(edge, nodes, place)
            if ends is None:
                complete = False
                continue
            source, target = ends
            handle = edge.get("source_handle")
            if isinstance(handle, str):
                self._check_handle(handle, ways.out_of(source), source, (*place, "source_handle"))
            same = (source, target, handle if isinstance(handle, str) else None)
            if source == target:
                message = f"The edge leads from '{shorten(source)}' to itself."
                self._problems.add(place, "cycle", message)
            elif same in seen:
                message = f"The edge is there already: edges[{seen[same]}]."
                self._problems.add(place, "duplicate", message)
            else:
                seen[same] = index
                sound.append((index, source, target))
        return sound, complete

    def _check_ends(
        self, edge: Any, nodes: Mapping[str, Any], path: Path
    ) -> tuple[str, str] | None:
        """Return an edge's source and target, or ``None`` where they are not both nodes."""
        if not isinstance(edge, dict):
            message = f"An edge is an object, not {type_name(edge)}."
            self._problems.add(path, "invalid_type", message)
            return None
        check_model(edge, EdgeDefinition, path, self._problems)
        for key in ("id", "source_handle"):
            most = self._limits.max_name_length
            check_length(edge.get(key), most, (*path, key), self._problems)
        source, target = edge.get("source"), edge.get("target")
        for key, end in (("source", source), ("target", target)):
            if isinstance(end, str) and end not in nodes:
                report_unknown_node(end, nodes, (*path, key), self._problems)
        if not (isinstance(source, str) and isinstance(target, str)):
            return None
        return (source, target) if source in nodes and target in nodes else None

    def _check_handle(
        self, handle: str, ways: tuple[str, ...] | None, source: str, path: Path
    ) -> None:
        if ways is None or handle in ways:
            return
        if ways:
            allowed = f"its handles are {listing(ways)}.{self._problems.suggest(handle, ways)}"
        else:
            allowed = "it has one way out: leave 'source_handle' out."
        self._problems.add(
            path,
            "unknown_handle",
            f"'{shorten(handle)}' is no handle of the node '{shorten(source)}'; {allowed}",
        )


class _Ways:
    """The handles that edges may leave each node by."""

    def __init__(self, nodes: Mapping[str, Any], catalog: Catalog) -> None:
        self._nodes = nodes
        self._catalog = catalog
        self._found: dict[str, tuple[str, ...] | None] = {}

    def out_of(self, node_id: str) -> tuple[str, ...] | None:
        """Return the handles of a node, ``()`` where it does not route, and ``None`` where they
        cannot be told: its type or config is wrong, or a template decides."""
        if node_id not in self._found:
            self._found[node_id] = self._handles(self._nodes[node_id])
        return self._found[node_id]

    def _handles(self, node: object) -> tuple[str, ...] | None:
        name = node.get("type") if isinstance(node, dict) else None
        spec = self._catalog.get(name) if isinstance(name, str) else None
        if spec is None or not isinstance(node, dict):
            return None
        if spec.handles is None:
            return ()
        config = node.get("config", {})
        try:
            found = tuple(spec.handles(config if isinstance(config, dict) else {}))
        except Exception:
            # The config is not what the type expects, which its model has said already.
            return None
        return None if any(has_template(handle) for handle in found) else found


def report_unknown_node(
    node_id: str, nodes: Mapping[str, Any], path: Path, problems: Problems
) -> None:
    """Add the problem of a field, the last step of *path*, that names no node."""
    key = path[-1]
    problems.add(
        path,
        "entry_point" if key == "entry_point" else "unknown_node",
        f"'{key}' is '{shorten(node_id)}', and there is no such node."
        f"{problems.suggest(node_id, nodes)}",
    )
