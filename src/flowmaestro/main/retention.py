"""Retention: the events of finished executions go when their time is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from flowmaestro.storage import EventLog, StorageClosed, StorageUnavailable

logger = logging.getLogger(__name__)


async def trim_periodically(
    log: EventLog,
    *,
    keep_days: float | None,
    keep_last: int | None,
    interval_seconds: float,
    clock: Callable[[], datetime],
) -> None:
    """Trim *log* now and then every *interval_seconds*, until cancelled.

    Args:
        log: the log of all executions.
        keep_days: events of executions that ended longer ago go; ``None``: their age is no reason.
        keep_last: so many of each ended execution's newest events stay; ``None``: none do.
        interval_seconds: from the end of one trim to the start of the next.
        clock: the wall clock, aware.

    With both ``None`` it does nothing. Cancelling it leaves whole transactions done.
    """
    if keep_days is None and keep_last is None:
        return
    while True:
        older_than = None if keep_days is None else clock() - timedelta(days=keep_days)
        try:
            removed = await log.trim(older_than, keep_last)
        except StorageClosed:
            return
        except StorageUnavailable as error:
            logger.warning("retention waits for its next turn: %s", error)
        else:
            if removed:
                logger.info("retention removed events", extra={"removed_events": removed})
        await asyncio.sleep(interval_seconds)
