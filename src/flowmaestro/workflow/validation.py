"""Checks a whole document and reports everything that is wrong with it at once.

Each part is checked as far as it can be by itself, so that one broken node does not hide what is
wrong with the others::

    json_values      it is JSON, within bounds
    normalisation    camelCase keys become snake_case
    model_check      each part has the fields that its model asks for
    config_check     configs, templates, references
    graph_check      cycles, unreachable nodes
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flowmaestro.workflow.catalog import BODY, Catalog, NodeTypeSpec
from flowmaestro.workflow.config_check import ConfigChecker
from flowmaestro.workflow.definition import Definition, EdgeDefinition, NodeDefinition
from flowmaestro.workflow.expressions import has_template
from flowmaestro.workflow.graph_check import Edge, check_shape
from flowmaestro.workflow.json_values import check_json
from flowmaestro.workflow.limits import Limits
from flowmaestro.workflow.model_check import check_model, type_name
from flowmaestro.workflow.normalisation import normalise
from flowmaestro.workflow.problems import (
    InvalidDefinition,
    Path,
    Problem,
    Problems,
    listing,
    shorten,
)

__all__ = ["InvalidDefinition", "Problem", "validate"]

_DEFAULT_LIMITS = Limits()


def validate(
    document: object,
    catalog: Catalog,
    *,
    known_workflows: Collection[str] | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> Definition:
    """Return *document* (any JSON value) as a definition whose ``to_document()`` is canonical.

    *catalog* holds the node types there are. With *known_workflows*, ``workflow`` nodes may name
    only these. Raises :class:`InvalidDefinition` with every problem, in document order, and
    nothing else whatever *document* is; *document* is not changed.
    """
    problems = Problems(limits.max_problems)
    check_json(document, limits, problems)
    normalised: Any = document
    if not problems:
        checker = _DefinitionChecker(catalog, known_workflows, limits, problems)
        normalised = checker.check(document, (), depth=0, outer_nodes=frozenset())
    if problems:
        raise InvalidDefinition(problems.in_order_of(normalised))
    return Definition.from_document(normalised)


class _DefinitionChecker:
    """Checks a definition and the bodies of its loops."""

    def __init__(
        self,
        catalog: Catalog,
        known_workflows: Collection[str] | None,
        limits: Limits,
        problems: Problems,
    ) -> None:
        self._catalog = catalog
        self._limits = limits
        self._problems = problems
        self._configs = ConfigChecker(limits, known_workflows, problems)
        self._node_count = 0
        self._edge_count = 0

    def check(self, raw: object, path: Path, *, depth: int, outer_nodes: frozenset[str]) -> Any:
        """Return *raw* normalised, having added what is wrong with it."""
        if not isinstance(raw, dict):
            self._problems.add(
                path, "invalid_type", f"A definition is an object, not {type_name(raw)}."
            )
            return raw
        document = normalise(raw, Definition, path, self._problems)
        self._check_head(document, path, depth)
        nodes, edges = document.get("nodes"), document.get("edges", [])
        if not self._are_nodes(nodes, path):
            return document
        assert isinstance(nodes, dict)
        node_ids = outer_nodes | nodes.keys()
        document["nodes"] = {
            node_id: self._check_node(node_id, node, (*path, "nodes", node_id), depth, node_ids)
            for node_id, node in nodes.items()
        }
        entry_point = document.get("entry_point")
        if isinstance(entry_point, str) and entry_point not in nodes:
            self._unknown_node((*path, "entry_point"), "entry_point", entry_point, nodes)
        if not isinstance(edges, list):
            message = f"'edges' is a list, not {type_name(edges)}."
            self._problems.add((*path, "edges"), "invalid_type", message)
            return document
        sound, complete = self._check_edges(edges, document["nodes"], (*path, "edges"))
        # With a broken edge, what lies behind it would seem unreachable too.
        entry = entry_point if isinstance(entry_point, str) and complete else None
        check_shape(nodes, sound, entry, path, self._problems)
        return document

    def _check_head(self, document: dict[str, Any], path: Path, depth: int) -> None:
        """Check everything but the nodes and edges, which are checked one by one."""
        check_model({**document, "nodes": {}, "edges": []}, Definition, path, self._problems)
        name = document.get("name")
        if depth == 0 and "name" not in document:
            self._problems.add((*path, "name"), "missing", "'name' is required.")
        elif isinstance(name, str) and depth == 0 and not name.strip():
            self._problems.add((*path, "name"), "missing", "'name' is empty.")
        self._check_length(name, self._limits.max_name_length, (*path, "name"))
        self._check_length(
            document.get("description"),
            self._limits.max_description_length,
            (*path, "description"),
        )

    def _are_nodes(self, nodes: object, path: Path) -> bool:
        place = (*path, "nodes")
        if nodes is None:
            self._problems.add(place, "missing", "'nodes' is required: an object of nodes by id.")
            return False
        if not isinstance(nodes, dict):
            self._problems.add(
                place,
                "invalid_type",
                f"'nodes' is an object of nodes by id, not {type_name(nodes)}.",
            )
            return False
        if not nodes:
            self._problems.add(place, "missing", "There are no nodes: a workflow needs one.")
            return False
        self._node_count += len(nodes)
        if self._node_count > self._limits.max_nodes:
            message = f"There are more than {self._limits.max_nodes:,} nodes, bodies included."
            self._problems.add(place, "limit", message)
            return False
        return True

    def _check_node(
        self, node_id: str, raw: object, path: Path, depth: int, node_ids: frozenset[str]
    ) -> Any:
        self._check_id(node_id, path)
        if not isinstance(raw, dict):
            self._problems.add(path, "invalid_type", f"A node is an object, not {type_name(raw)}.")
            return raw
        node = normalise(raw, NodeDefinition, path, self._problems)
        check_model(node, NodeDefinition, path, self._problems)
        self._check_length(node.get("name"), self._limits.max_name_length, (*path, "name"))
        spec = self._find_type(node.get("type"), (*path, "type"))
        config = node.get("config", {})
        if spec is None or not isinstance(config, dict):
            return node
        place = (*path, "config")
        config = normalise(config, spec.config_model, place, self._problems)
        self._configs.check(config, spec, node_ids, place)
        if "config" in node:
            node["config"] = config
        if spec.container is not None and node.get("retry") is not None:
            self._problems.add(
                (*path, "retry"),
                "retry",
                f"A node of type '{spec.name}' is not retried as a whole: set 'retry' on the nodes "
                "that it runs.",
            )
        if spec.container == "loop" and isinstance(config.get(BODY), dict):
            config[BODY] = self._check_body(config[BODY], (*place, BODY), depth + 1, node_ids)
        return node

    def _check_body(self, body: object, path: Path, depth: int, outer: frozenset[str]) -> Any:
        if depth > self._limits.max_body_depth:
            message = f"Loops nest deeper than {self._limits.max_body_depth} levels."
            self._problems.add(path, "limit", message)
            return body
        return self.check(body, path, depth=depth, outer_nodes=outer)

    def _find_type(self, name: object, path: Path) -> NodeTypeSpec | None:
        if not isinstance(name, str) or not name:
            return None
        spec = self._catalog.get(name)
        if spec is None:
            close = self._problems.suggest(name, self._catalog)
            self._problems.add(
                path,
                "unknown_type",
                f"There is no node type '{shorten(name)}'."
                + (close or f" There are {listing(sorted(self._catalog), 40)}."),
            )
        return spec

    def _check_id(self, node_id: str, path: Path) -> None:
        if not node_id:
            message = "A node's id is not empty."
        elif any(character in ".[]" for character in node_id):
            message = "A node's id holds no '.', '[' or ']': they separate the ids in a path."
        elif not node_id.isprintable() or node_id != node_id.strip():
            message = "A node's id is printable text without white space around it."
        elif len(node_id) > self._limits.max_id_length:
            message = f"A node's id has at most {self._limits.max_id_length} characters."
        else:
            return
        self._problems.add(path, "invalid_id", message)

    def _check_edges(
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
            self._check_length(edge.get(key), self._limits.max_name_length, (*path, key))
        source, target = edge.get("source"), edge.get("target")
        for key, end in (("source", source), ("target", target)):
            if isinstance(end, str) and end not in nodes:
                self._unknown_node((*path, key), key, end, nodes)
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

    def _unknown_node(self, path: Path, key: str, node_id: str, nodes: Mapping[str, Any]) -> None:
        close = self._problems.suggest(node_id, nodes)
        self._problems.add(
            path,
            "entry_point" if key == "entry_point" else "unknown_node",
            f"'{key}' is '{shorten(node_id)}', and there is no such node.{close}",
        )

    def _check_length(self, value: object, most: int, path: Path) -> None:
        if isinstance(value, str) and len(value) > most:
            self._problems.add(path, "limit", f"'{path[-1]}' has at most {most:,} characters.")


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
