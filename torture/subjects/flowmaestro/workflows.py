"""Random workflows: branches, loops, retries, failures, and nodes that take no time."""

from __future__ import annotations

from random import Random
from typing import Any

MAX_DEPTH = 2


def workflow(random: Random) -> dict[str, Any]:
    """Return a definition that takes an input ``coin``, a whole number that decides its ways."""
    settings: dict[str, Any] = {"max_concurrent_nodes": random.choice([1, 2, 4, 16])}
    if random.random() < 0.1:
        settings["timeout_ms"] = random.randint(200, 3000)
    return {"name": "random", **_graph(random, depth=0), "settings": settings}


def long_workflow(random: Random) -> dict[str, Any]:
    """Return a definition whose events are more than sockets and proxies hold, over some time: a
    slow reader falls behind while it runs."""
    body = {"nodes": {"n0": _python("effect", milliseconds=60, size=random.choice([800, 2000]))}}
    config = {
        "items": f"{{{{ range({random.randint(30, 60)}) }}}}",
        "body": body,
        "max_concurrency": random.choice([1, 3]),
    }
    return {"name": "long", "nodes": {"n0": {"type": "loop", "config": config}}, "edges": []}


def _graph(random: Random, depth: int) -> dict[str, Any]:
    count = random.randint(1, 12 if depth == 0 else 3)
    nodes = {f"n{index}": _node(random, depth) for index in range(count)}
    edges = []
    for target in range(1, count):
        for source in random.sample(range(target), random.randint(0, min(2, target))):
            edge = {"source": f"n{source}", "target": f"n{target}"}
            if handles := _handles(nodes[f"n{source}"]):
                edge["source_handle"] = random.choice(handles)
            edges.append(edge)
    return {"nodes": nodes, "edges": edges}


def _handles(node: dict[str, Any]) -> list[str]:
    if node["type"] == "conditional":
        return ["true", "false"]
    return ["0", "1", "default"] if node["type"] == "switch" else []


def _node(random: Random, depth: int) -> dict[str, Any]:
    kinds = {"effect": 6, "thread": 1, "transform": 3, "conditional": 2, "switch": 1, "wait": 2}
    if depth < MAX_DEPTH:
        kinds["loop"] = 2
    [kind] = random.choices(list(kinds), list(kinds.values()))
    divisor = random.randint(2, 3)
    match kind:
        case "effect":
            return _effect(random)
        case "thread":
            return _python("effect_in_thread", milliseconds=random.choice([0, 20]))
        case "transform":
            return {"type": "transform", "config": {"value": {"twice": "{{ coin * 2 }}"}}}
        case "conditional":
            return {"type": "conditional", "config": {"expression": f"coin % {divisor} == 0"}}
        case "switch":
            return {
                "type": "switch",
                "config": {"value": f"{{{{ coin % {divisor} }}}}", "cases": [0, 1]},
            }
        case "wait":
            return {"type": "wait", "config": {"duration_ms": random.choice([0, 1, 30, 100])}}
    config: dict[str, Any] = {
        "items": f"{{{{ range({random.choice([0, 1, 3, 6])}) }}}}",
        "body": _graph(random, depth + 1),
        "max_concurrency": random.choice([1, 2, 8]),
    }
    return {"type": "loop", "config": config, **_mercy(random)}


def _effect(random: Random) -> dict[str, Any]:
    failing = random.choice([0, 0, 0, 1, 2])
    node = _python(
        "effect",
        milliseconds=random.choice([0, 0, 5, 40, 150]),
        failing_attempts=failing,
        messages=random.choice([0, 0, 2]),
        size=random.choice([0, 1, 400, 6000]),
    )
    if failing and random.random() < 0.7:
        delay_ms = random.choice([1, 50])
        node["retry"] = {"max_attempts": random.randint(2, 4), "initial_delay_ms": delay_ms}
    return node | _mercy(random)


def _python(function: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "python", "config": {"function": function, "arguments": arguments}}


def _mercy(random: Random) -> dict[str, Any]:
    strategy = random.choice(["fail", "continue", "continue", "fallback"])
    return {"on_error": {"strategy": strategy, "fallback_value": {"text": "instead"}}}
