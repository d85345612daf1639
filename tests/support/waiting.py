"""Waiting for what another process or task brings about, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 30.0


async def wait_until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return when *condition* is true; raise :class:`TimeoutError` if it does not come true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.005)
