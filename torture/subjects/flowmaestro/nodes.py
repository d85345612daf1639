"""The functions that the workflows call. They are loaded into the server."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from pathlib import Path

from flowmaestro import NodeContext, SyncNodeContext, function

EFFECTS = Path("effects.txt")
"""A line for each attempt: execution, node, attempt. In the folder in which the server runs."""
OBJECTS = Path("objects.txt")
TASKS = Path("tasks.txt")
"""The event loop's tasks at the last census, for whoever looks for what is left over."""

_OF_ONE = (
    "flowmaestro.engine.",
    "flowmaestro.streaming.",
    "flowmaestro.workflow.scheduler.scope",
    "flowmaestro.workflow.scheduler.state",
)
"""Where the classes are of which there is one for each stream or execution. Those of requests are
not among them: a thread of the storage keeps the last one it worked for, until the next."""


def _leave(execution: str, node: str, attempt: int) -> None:
    # One write to a file opened for appending: whole or not at all, also when killed.
    file = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{execution} {node} {attempt}\n".encode())
    finally:
        os.close(file)


@function
async def effect(
    context: NodeContext,
    milliseconds: int = 0,
    failing_attempts: int = 0,
    messages: int = 0,
    size: int = 0,
) -> dict[str, object]:
    """Leave a trace, then take some time, and fail the first attempts."""
    _leave(context.execution_id, context.node_id, context.attempt)
    for number in range(messages):
        context.log(f"message {number} of attempt {context.attempt}")
        await context.progress(100 * number / messages)
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)
    if context.attempt <= failing_attempts:
        raise RuntimeError(f"attempt {context.attempt} fails")
    return {"text": "æ→\n" * size, "attempt": context.attempt}


@function
def effect_in_thread(context: SyncNodeContext, milliseconds: int = 0) -> int:
    """The same in a thread."""
    _leave(context.execution_id, context.node_id, context.attempt)
    time.sleep(milliseconds / 1000)
    return context.attempt


@function
def census() -> dict[str, int]:
    """Count what the server's process holds."""
    descriptors = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            # The storage opens the database again for a further thread, and keeps it.
            descriptors += ".db" not in descriptor.readlink().name
        except OSError:  # the listing's own
            continue
    gc.collect()
    ours = [type(one) for one in gc.get_objects() if type(one).__module__.startswith(_OF_ONE)]
    OBJECTS.write_text("\n".join(sorted(f"{kind.__module__}.{kind.__name__}" for kind in ours)))
    return {"descriptors": descriptors, "objects": len(ours)}


@function
async def tasks() -> dict[str, int]:
    """Count the event loop's tasks, and write down which they are."""
    found = asyncio.all_tasks()
    await asyncio.to_thread(TASKS.write_text, "\n".join(map(repr, found)))
    return {"tasks": len(found)}
