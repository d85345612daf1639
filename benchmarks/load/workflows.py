"""The small workflows that are executed."""

from __future__ import annotations

from typing import Any


def _between(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "load",
        "nodes": {
            "name": {"type": "input", "config": {"input_name": "name", "input_type": "string"}},
            "work": node,
            "out": {"type": "output", "config": {"output_name": "said", "value": "{{ work }}"}},
        },
        "edges": [{"source": "name", "target": "work"}, {"source": "work", "target": "out"}],
    }


WORKFLOWS = {
    "pure": _between({"type": "transform", "config": {"value": "Hello, {{ name }}!"}}),
    "python": _between(
        {
            "type": "python",
            "config": {"function": "trivial", "arguments": {"value": "{{ name }}"}},
        }
    ),
    "wait": _between({"type": "wait", "config": {"duration_ms": 1_000}}),
}
"""By name: input, one node, output. ``pure`` needs one commit, the others one on each side of a
node that runs; ``wait`` takes a second, so that as many executions as come in a second run."""
