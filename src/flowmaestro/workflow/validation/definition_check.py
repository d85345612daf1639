"""Checks a whole document: its nodes one by one, its edges, its shape, the bodies of its loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from flowmaestro.workflow.catalog import BODY, Catalog, NodeTypeSpec
from flowmaestro.workflow.definition import Definition, NodeDefinition
from flowmaestro.workflow.limits import Limits
from flowmaestro.workflow.problems import (
    InvalidDefinition,
    Path,
    Problems,
    listing,
    shorten,
    type_name,
)
from flowmaestro.workflow.validation.config_check import ConfigChecker
from flowmaestro.workflow.validation.edge_check import EdgeChecker, report_unknown_node
from flowmaestro.workflow.validation.graph_check import check_shape
from flowmaestro.workflow.validation.json_values import check_json
from flowmaestro.workflow.validation.model_check import check_length, check_model
from flowmaestro.workflow.validation.normalisation import normalise
from flowmaestro.workflow.validation.reference_check import NodeScope, Viewpoint, item_names

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
        normalised = checker.check(document, (), depth=0)
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
        self._edges = EdgeChecker(catalog, limits, problems)
        self._node_count = 0

    def check(
        self,
        raw: object,
        path: Path,
        *,
        depth: int,
        outer: Viewpoint | None = None,
        names: Iterable[str] = (),
    ) -> Any:
        """Return *raw* normalised, having added what is wrong with it. Of a loop's body, *outer* is
        the loop, and *names* are those of its item and index."""
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
        scope = NodeScope(nodes, edges, outer=outer, item_names=names)
        document["nodes"] = {
            node_id: self._check_node(node_id, node, (*path, "nodes", node_id), depth, scope)
            for node_id, node in nodes.items()
        }
        entry_point = document.get("entry_point")
        if isinstance(entry_point, str) and entry_point not in nodes:
            report_unknown_node(entry_point, nodes, (*path, "entry_point"), self._problems)
        if not isinstance(edges, list):
            message = f"'edges' is a list, not {type_name(edges)}."
            self._problems.add((*path, "edges"), "invalid_type", message)
            return document
        sound, complete = self._edges.check(edges, document["nodes"], (*path, "edges"))
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
        check_length(name, self._limits.max_name_length, (*path, "name"), self._problems)
        check_length(
            document.get("description"),
            self._limits.max_description_length,
            (*path, "description"),
            self._problems,
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
        self, node_id: str, raw: object, path: Path, depth: int, scope: NodeScope
    ) -> Any:
        self._check_id(node_id, path)
        if not isinstance(raw, dict):
            self._problems.add(path, "invalid_type", f"A node is an object, not {type_name(raw)}.")
            return raw
        node = normalise(raw, NodeDefinition, path, self._problems)
        check_model(node, NodeDefinition, path, self._problems)
        check_length(
            node.get("name"), self._limits.max_name_length, (*path, "name"), self._problems
        )
        spec = self._find_type(node.get("type"), (*path, "type"))
        config = node.get("config", {})
        place = (*path, "config")
        viewpoint = Viewpoint(scope, node_id)
        if not isinstance(config, dict):
            return node
        if spec is None:
            self._configs.check_untyped(config, viewpoint, place)
            return node
        config = normalise(config, spec.config_model, place, self._problems)
        self._configs.check(config, spec, viewpoint, place)
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
            if depth == self._limits.max_body_depth:
                message = f"Loops nest deeper than {self._limits.max_body_depth} levels."
                self._problems.add((*place, BODY), "limit", message)
            else:
                config[BODY] = self.check(
                    config[BODY],
                    (*place, BODY),
                    depth=depth + 1,
                    outer=viewpoint,
                    names=item_names(config, spec),
                )
        return node

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
