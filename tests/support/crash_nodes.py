"""Nodes with effects that can be counted, for the tests that stop the server."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from flowmaestro import NodeContext, function
from tests.support.crash_points import reach_effect


@function
async def effect(context: NodeContext, folder: str) -> int:
    """Leave a mark that a kill does not take back."""
    reach_effect("before", context.node_id)
    with Path(folder, "effects.txt").open("a") as file:
        file.write(f"{context.node_id} {context.attempt}\n")
    reach_effect("after", context.node_id)
    return context.attempt


@function
async def hold(context: NodeContext, folder: str) -> int:
    """Wait for the file ``released``."""
    while not Path(folder, "released").exists():
        await asyncio.sleep(0.01)
    return context.attempt


def effects(folder: Path) -> Counter[tuple[str, int]]:
    """Return how often each attempt at each node had its effect."""
    path = folder / "effects.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter((node, int(attempt)) for node, attempt in map(str.split, lines))


def chain(*functions: str) -> dict[str, Any]:
    """A workflow of one node after the other, ``n1``, ``n2``, …, which call *functions*."""
    names = [f"n{index}" for index in range(1, len(functions) + 1)]
    return {
        "name": "Chain",
        "nodes": {
            "folder": {"type": "input", "config": {"input_name": "folder", "required": True}},
            **{
                name: {
                    "type": "python",
                    "config": {"function": called, "arguments": {"folder": "{{ folder }}"}},
                }
                for name, called in zip(names, functions, strict=True)
            },
        },
        "edges": [
            {"source": source, "target": target}
            for source, target in zip(["folder", *names], names, strict=False)
        ],
    }
