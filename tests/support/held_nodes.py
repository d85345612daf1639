"""A node type that a test holds: for servers in processes of their own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from flowmaestro import NodeContext, NodeError, node

UNTIL = "HELD_UNTIL"
"""The environment variable that names a file: `held` nodes wait until it is there."""


@node("held")
async def held() -> str:
    """Wait until the test's file is there; go on at once where none is named."""
    name = os.environ.get(UNTIL)
    while name and not Path(name).exists():
        await asyncio.sleep(0.01)
    return "released"


@node("flaky")
async def flaky(context: NodeContext, failures: int = 1) -> str:
    """Fail that many times, then succeed."""
    context.log(f"attempt {context.attempt}", level="warning")
    if context.attempt <= failures:
        raise NodeError("not yet", code="not_yet")
    return "at last"
