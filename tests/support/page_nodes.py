"""Node types for the page's tests and pictures: they do what they are told, when they are told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from flowmaestro import NodeContext, NodeError, Routed, node

_gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


def open_gate(name: str) -> None:
    """Let the `gate` nodes of this name go on; the server must run in this event loop."""
    _gates[name].set()


@node("gate")
async def gate(name: str, value: Any = None) -> Any:
    """Wait until a test opens the gate, then put out a value."""
    await _gates[name].wait()
    return value if isinstance(value, dict) else {"value": value}


@node("fetch")
async def fetch(
    context: NodeContext,
    value: Any = None,
    duration_ms: int = 0,
    failures: int = 0,
    error: str = "the source answered with status 503",
) -> Any:
    """Take some time, fail the first attempts, then put out a value."""
    steps = 8
    for step in range(steps):
        await asyncio.sleep(duration_ms / 1000 / steps)
        if context.attempt <= failures and step == steps // 2:
            raise NodeError(error, code="http_status")
        if duration_ms > 0:
            await context.progress(100 * (step + 1) / steps)
    context.log("fetched everything there was")
    return value if isinstance(value, dict) else {"value": value}


@node("classify", handles=("urgent", "ordinary"))
async def classify(text: str, duration_ms: int = 0) -> Routed:
    """Judge a text by its words."""
    await asyncio.sleep(duration_ms / 1000)
    urgent = "broken" in text.lower()
    return Routed(
        "urgent" if urgent else "ordinary", {"urgent": urgent, "words": len(text.split())}
    )
