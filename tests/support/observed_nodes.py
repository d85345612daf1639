"""Node functions that are watched: they log, fail, and fail until they do not."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from flowmaestro import NodeContext, NodeError, SyncNodeContext, function

logger = logging.getLogger("author.shop")


@function
async def say(text: str) -> str:
    logger.info("async: %s", text)
    return text


@function
def say_in_a_thread(text: str) -> str:
    logger.info("thread: %s", text)
    return text


@function
async def fail_until(attempt: int, context: NodeContext) -> int:
    if context.attempt < attempt:
        raise NodeError("not yet", code="not_yet")
    return context.attempt


@function
async def raise_error(text: str) -> None:
    raise ValueError(text)


@function
async def hang_once(context: NodeContext) -> int:
    """Hang in the first attempt, after leaving a file that says so."""
    if context.attempt == 1:
        Path("hanging").touch()
        await asyncio.Event().wait()
    return context.attempt


@function
def chatter(count: int, context: SyncNodeContext) -> None:
    for number in range(count):
        context.log(f"message {number}")


@function
async def own_traceparent(context: NodeContext) -> str | None:
    return context.traceparent
