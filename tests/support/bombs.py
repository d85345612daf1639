"""Small requests that would be much work, or much memory, for a server that trusts them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from string import ascii_lowercase
from typing import Any

JSON = "application/json"
YAML = "application/yaml"


def workflow(nodes: Mapping[str, Any], edges: list[Any] | None = None) -> dict[str, Any]:
    return {"name": "bomb", "nodes": nodes, "edges": edges or []}


def node(kind: str, **config: Any) -> dict[str, Any]:
    return {"type": kind, "config": config}


def transform(value: Any) -> dict[str, Any]:
    return node("transform", value=value)


def _loops(depth: int, items: Any) -> dict[str, Any]:
    body = _loops(depth - 1, items) if depth else workflow({"t": transform(1)})
    return workflow({"loop": node("loop", items=items, body=body)})


def _laughs(first: str, line: str) -> str:
    """YAML whose every line stands for several times the line before it."""
    pairs = pairwise(ascii_lowercase)
    return f"a: &a {first}\n" + "".join(
        f"{name}: &{name} {line.replace('ALIAS', '*' + before)}\n" for before, name in pairs
    )


def _chain(count: int, step: int) -> list[dict[str, str]]:
    return [
        {"source": f"n{index}", "target": f"n{(index * step + 1) % count}"}
        for index in range(count)
    ]


_SOME = range(1_000)

DEFINITIONS: Mapping[str, Any] = {
    # Shape
    "too many nodes": workflow({f"n{index}": transform(1) for index in range(9_000)}),
    "as many nodes and edges as there may be": workflow(
        {f"n{index}": transform(1) for index in _SOME},
        [
            {"source": f"n{index}", "target": f"n{later}"}
            for index in _SOME
            for later in range(index + 1, min(index + 11, len(_SOME)))
        ],
    ),
    "cycles everywhere": workflow(
        {f"n{index}": transform(1) for index in _SOME}, _chain(1_000, 7) + _chain(1_000, 1)
    ),
    "edges from nowhere to nowhere": workflow(
        {"n": transform(1)}, [{"source": f"x{n}" * 3, "target": f"y{n}" * 3} for n in range(9_000)]
    ),
    "loops in loops": _loops(20, [1]),
    "many loops": workflow(
        {f"l{n}": node("loop", items=[1], body=workflow({"t": transform(1)})) for n in range(400)}
    ),
    # Names
    "a long unknown key of capitals": workflow({"n": {**transform(1), "A" * 900_000: 1}}),
    "a long operator of capitals": workflow(
        {"n": node("conditional", left_value=1, operator="A" * 900_000)}
    ),
    "a long type": workflow({"n": node("t" * 900_000)}),
    "a long id": workflow({"n" * 900_000: transform(1)}),
    "many unknown keys": workflow({"n": {**transform(1), **{f"x{n}": 1 for n in range(60_000)}}}),
    "many unknown types": workflow({f"n{n}": node(f"transfrom{n}") for n in _SOME}),
    "many unknown names": workflow({"n": transform([f"{{{{ name{n} }}}}" for n in range(9_000)])}),
    # Config
    "many routes": workflow(
        {
            "r": node(
                "router", model="m", prompt="p", routes=[{"value": str(n)} for n in range(40_000)]
            )
        }
    ),
    "many cases": workflow({"s": node("switch", value=1, cases=list(range(90_000)))}),
    "large cases": workflow({"s": node("switch", value=1, cases=[[[list(range(99))]]] * 200)}),
    "many faults": workflow(
        {f"n{n}": node("http", url=1, method=2, headers=3, timeout_ms="x") for n in _SOME}
    ),
    # Values
    "long integers": workflow({"n": transform([10**299] * 3_000)}),
    "halves of surrogate pairs": workflow({"n": transform(["\ud800"] * 60_000)}),
    # Templates
    "a long expression": workflow({"n": transform("{{ '" + "a" * 900_000 + "' }}")}),
    "expressions without end": workflow({"n": transform("{{" * 400_000)}),
    "texts without end": workflow({"n": transform("{{ '" * 200_000)}),
    "texts of backslashes": workflow({"n": transform("{{ '" + "\\" * 400_000)}),
    "parentheses": workflow({"n": transform("{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}")}),
}
"""Definitions as values."""

TEXTS: Mapping[str, tuple[str, bytes]] = {
    **{name: (JSON, json.dumps(document).encode()) for name, document in DEFINITIONS.items()},
    "lists in lists": (JSON, b"[" * 900_000),
    "objects in objects": (JSON, b'{"a":' * 150_000 + b"1" + b"}" * 150_000),
    "a key many times": (JSON, b"{" + b'"a":1,' * 150_000 + b'"a":1}'),
    "an integer of a megabyte": (JSON, b'{"name": ' + b"9" * 900_000 + b"}"),
    "a fraction of a megabyte": (JSON, b'{"name": 0.' + b"9" * 900_000 + b"}"),
    "an exponent of a megabyte": (JSON, b'{"name": 1e-' + b"9" * 900_000 + b"}"),
    **{
        name: (YAML, text.encode())
        for name, text in {
            "a billion laughs": _laughs("[x, x]", "[" + "ALIAS, " * 9 + "]"),
            "a billion objects": _laughs("{x: 1}", "{p: ALIAS, q: ALIAS, r: ALIAS}"),
            "a billion merges": _laughs("{x: 1}", "{<<: [ALIAS, ALIAS, ALIAS], y: ALIAS}"),
            "a long text many times": f"a: &a {'x' * 500_000}\nb: [{'*a, ' * 20_000}]\n",
            "a long key many times": f"a: &a {'x' * 500_000}\nb: [{'{*a : 1}, ' * 9_000}]\n",
            "a list that holds itself": "a: &a [*a]\n",
            "brackets": "a: " + "[" * 200_000,
            "braces": "a: " + "{b: " * 100_000,
            "indentation": "".join(" " * depth + "a:\n" for depth in range(1_300)),
            "dashes": "- " * 200_000 + "x",
            "question marks": "? " * 200_000,
            "anchors": "".join(f"- &a{index} x\n" for index in range(60_000)),
            "documents": "--- a\n" * 150_000,
            "directives": "%TAG ! tag:x:\n" * 50_000 + "--- a\n",
            "a hexadecimal integer": "a: 0x" + "f" * 390,
            "comments": "#" * 900_000,
            "folded lines": "a: >\n" + " x\n\n" * 200_000,
        }.items()
    },
}
"""Requests that store a workflow: content type and body, by what is wrong with them."""

_ITEMS = "{{ range(10000) }}"

RUNNING: Mapping[str, Any] = {
    "loops over ten thousand items in loops over ten thousand items": _loops(5, _ITEMS),
    "a loop over too many items": workflow(
        {"l": node("loop", items="{{ range(50000) }}", body={"nodes": {"t": transform(1)}})}
    ),
    "a workflow that calls itself many times": workflow(
        {f"c{n}": node("workflow", workflow_id="SELF") for n in range(50)}
    ),
    "a large text": workflow({"t": transform("{{ 'a' * 1900000 }}")}),
    "a power": workflow({"t": transform("{{ 9 ** (9 ** 9) }}")}),
    "a range": workflow({"t": transform("{{ range(10 ** 12) | list | length }}")}),
    "a text that doubles": workflow(
        {
            "n0": transform("{{ 'a' * 400000 }}"),
            **{
                f"n{n}": transform({"v": [f"{{{{ n{n - 1} }}}}", f"{{{{ n{n - 1} }}}}"]})
                for n in range(1, 20)
            },
        },
        [{"source": f"n{n}", "target": f"n{n + 1}"} for n in range(19)],
    ),
    "an operator of capitals": workflow(
        {
            "t": transform("{{ 'A' * 300000 }}"),
            "c": node("conditional", left_value=1, operator="{{ t.value }}", right_value=1),
        },
        [{"source": "t", "target": "c"}],
    ),
    "outputs of many nodes": workflow(
        {f"n{n}": transform("{{ 'a' * 900000 }}") for n in range(10)}
    ),
}
"""Definitions that are valid, and whose executions would be much work."""
