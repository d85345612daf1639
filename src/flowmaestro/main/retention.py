"""The sweep: what the storage need not keep any longer goes, now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from flowmaestro.storage import Storage, StorageClosed, StorageUnavailable

logger = logging.getLogger(__name__)


async def sweep_periodically(
    storage: Storage,
    *,
    keep_days: float | None,
    max_events: int | None,
    interval_seconds: float,
    clock: Callable[[], datetime],
) -> None:
    """Sweep *storage* at once and then every *interval_seconds*, until cancelled.

    Idempotency records past their lifetime always go. Events of executions that have ended go by
    two rules, either of which is enough.

    Args:
        storage: the database.
        keep_days: all events of executions that ended longer ago go; ``None``: none do for that.
        max_events: of each ended execution at most so many events stay, the newest ones, however
            old it is; ``None``: any number does.
        interval_seconds: from the end of one sweep to the start of the next.
        clock: the wall clock, aware.

    Cancelling it leaves whole transactions done.
    """
    while True:
        try:
            await storage.executions.forget_idempotency_keys()
            removed = 0
            if keep_days is not None:
                removed += await storage.log.trim(clock() - timedelta(days=keep_days), None)
            if max_events is not None:
                removed += await storage.log.trim(None, max_events)
        except StorageClosed:
            return
        except StorageUnavailable as error:
            logger.warning("retention waits for its next turn: %s", error)
        else:
            if removed:
                logger.info("retention removed events", extra={"removed_events": removed})
        await asyncio.sleep(interval_seconds)
