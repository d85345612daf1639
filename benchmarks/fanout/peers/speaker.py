"""The workflow's function: a node that runs until it is told to end, and says what it is given."""

from __future__ import annotations

import asyncio

from flowmaestro import NodeContext, function

contexts: dict[str, NodeContext] = {}
"""Of the nodes that run, by execution. A process serves one measurement, so it may be global."""
joined = asyncio.Condition()


@function("speak")
async def speak(context: NodeContext) -> None:
    """Let the harness speak through this node's context; it ends with the process."""
    async with joined:
        contexts[context.execution_id] = context
        joined.notify_all()
    await asyncio.Event().wait()
