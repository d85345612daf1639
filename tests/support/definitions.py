"""Definitions of the built-in node types, as strategies: what users write, and what they get wrong.

Most of the drawn definitions are valid. They run without anything outside of the server, in little
time; their inputs are named ``a``, ``b`` and ``c``.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from flowmaestro.nodes.comparison import OPERATORS
from tests.support.expressions import ATOMS, EXPRESSIONS

INPUT_NAMES = ("a", "b", "c")
LONGEST_MS = 2_000
"""How long an execution of a drawn definition may take by its own settings."""

KEYS = st.sampled_from(
    [
        *("name", "nodes", "edges", "type", "config", "source", "target", "source_handle"),
        *("sourceHandle", "retry", "entryPoint", "settings", "body", "items", "value", "cases"),
        *("on_error", "expression", "output_variable", "max_concurrency", "timeout_ms", "id"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1, 10**15, 10**300, -(10**301), 1e308, 5e-324, 0.1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["loop", "switch", "n0", "true", "{{ a }}", "{{ ", "{% x %}", "{# #}", "\0"]),
    st.sampled_from(["{{ nodes['n0'] }}", "{{ secrets.NAME }}", "a|length", "fail", "any"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS | st.text(max_size=10), inner, max_size=5)
    ),
    max_leaves=25,
)
"""JSON values that look like parts of a definition."""

DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(-1e300, 1e300)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "items"]), inner, max_size=3)
    ),
    max_leaves=8,
)
"""JSON data that holds no template."""

_HANDLES = {"conditional": ("true", "false"), "switch": ("one", "2", "default")}


def _templates(expressions: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    rendered = expressions.map("{{{{ {} }}}}".format)
    return st.one_of(
        rendered,
        expressions.map("text {{{{ {} }}}} text".format),
        st.lists(rendered, max_size=3),
        DATA,
    )


@st.composite
def definitions(
    draw: st.DrawFn, expressions: st.SearchStrategy[str] = EXPRESSIONS, depth: int = 0
) -> dict[str, Any]:
    """A definition whose edges lead from earlier nodes to later ones, with templates of
    *expressions*."""
    count = draw(st.integers(1, 5 if depth == 0 else 3))
    nodes: dict[str, Any] = {}
    if depth == 0:
        for name in INPUT_NAMES:
            config = {"input_name": name, "default_value": draw(st.sampled_from([1, "x", [1, 2]]))}
            nodes[f"input-{name}"] = {"type": "input", "config": config}
    inputs = list(nodes)
    for index in range(count):
        node_id = draw(
            st.sampled_from([f"n{index}", f"n{index}", f"node {index}", f"größe_{index}"])
        )
        nodes[node_id] = draw(_nodes(expressions, depth))
    edges = []
    ids = list(nodes)
    for place in range(max(1, len(inputs)), len(ids)):
        sources = draw(st.sets(st.integers(0, place - 1), min_size=0, max_size=3))
        for source in sorted(sources | set(range(len(inputs)))):
            edge = {"source": ids[source], "target": ids[place]}
            handles = _HANDLES.get(nodes[ids[source]]["type"])
            if handles is not None and draw(st.booleans()):
                edge["source_handle"] = draw(st.sampled_from(handles))
            edges.append(edge)
    settings = {"timeout_ms": LONGEST_MS, "max_concurrent_nodes": draw(st.integers(1, 4))}
    return {"name": "drawn", "nodes": nodes, "edges": edges, "settings": settings}


@st.composite
def _nodes(draw: st.DrawFn, expressions: st.SearchStrategy[str], depth: int) -> dict[str, Any]:
    kinds = ["transform", "conditional", "switch", "output", "wait"] + ["loop"] * (depth < 2)
    kind = draw(st.sampled_from(kinds))
    node: dict[str, Any] = {"type": kind, "config": draw(_configs(kind, expressions, depth))}
    strategy = draw(st.sampled_from([None, "fail", "continue", "fallback"]))
    if strategy:
        node["on_error"] = {"strategy": strategy, "fallback_value": draw(DATA)}
    if kind != "loop" and draw(st.booleans()):
        node["retry"] = {"max_attempts": draw(st.integers(1, 3)), "initial_delay_ms": 0}
    return node


def _configs(
    kind: str, expressions: st.SearchStrategy[str], depth: int
) -> st.SearchStrategy[dict[str, Any]]:
    templates = _templates(expressions)
    if kind == "transform":
        value = templates | st.dictionaries(st.text(min_size=1, max_size=5), templates, max_size=3)
        return st.fixed_dictionaries(
            {"value": value}, optional={"output_variable": st.sampled_from(["v", "w"])}
        )
    if kind == "conditional":
        compared = st.fixed_dictionaries(
            {
                "left_value": templates,
                "operator": st.sampled_from(sorted(OPERATORS)),
                "right_value": templates,
            }
        )
        return compared | st.fixed_dictionaries({"expression": expressions})
    if kind == "switch":
        return st.fixed_dictionaries(
            {"value": templates, "cases": st.just([{"value": 1, "handle": "one"}, 2])}
        )
    if kind == "output":
        return st.fixed_dictionaries(
            {"output_name": st.text(min_size=1, max_size=5).map("o{}".format), "value": templates}
        )
    if kind == "wait":
        return st.fixed_dictionaries({"duration_ms": st.integers(0, 3) | st.just("{{ a }}")})
    items = st.lists(DATA, max_size=4) | expressions.map("{{{{ {} }}}}".format)
    return st.fixed_dictionaries(
        {"items": items, "body": definitions(expressions, depth + 1)},
        optional={"max_concurrency": st.integers(1, 3)},
    )


@st.composite
def mutated_definitions(draw: st.DrawFn) -> Any:
    """A definition with one to three things that somebody, or somebody's program, got wrong."""
    document: Any = copy.deepcopy(draw(definitions(ATOMS)))
    for _ in range(draw(st.integers(1, 3))):
        found = _places(document)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        actions = ["vary"] * 6 + ["replace", "remove", "rename", "copy", "swap", "nest"]
        action = draw(st.sampled_from(actions))
        if action == "remove":
            container.pop(key)
        elif action == "rename" and isinstance(container, dict):
            container[draw(KEYS | st.text(max_size=5))] = container.pop(key)
        elif action == "copy" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif action == "swap":
            other, other_key = draw(st.sampled_from(found))
            # A copy, for a value may not come to lie inside itself.
            container[key] = copy.deepcopy(other[other_key]) if other_key in _keys(other) else None
        elif action == "vary":
            container[key] = draw(_like(container[key]))
        elif action == "nest":
            container[key] = [container[key]]
        else:
            container[key] = draw(VALUES)
    return document


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Values of the type that *value* has."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int | float):
        return st.integers(0, 5) | st.sampled_from([value + 1, float(value), -value, 10**300])
    if isinstance(value, str):
        words = ["n0", "input-a", "true", "default", "{{ a }}", "{{ b|length }}", "c", "", "fail"]
        return st.sampled_from(words) | st.text(max_size=5) | st.just(value + " ")
    if isinstance(value, list):
        return st.just([]) | st.just(value * 2)
    if isinstance(value, dict):
        return VALUES.map(lambda extra: {**value, "extra": extra})
    return VALUES


def bounded(document: Any) -> Any:
    """Return a copy of a definition whose execution ends by its own settings."""
    return {**document, "settings": {"timeout_ms": LONGEST_MS}}


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside *value*."""
    found: list[tuple[Any, Any]] = []
    for key in _keys(value) if isinstance(value, dict | list) else ():
        found.append((value, key))
        found += _places(value[key])
    return found
