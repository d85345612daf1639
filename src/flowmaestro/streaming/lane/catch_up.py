"""Reads pages of logs for the readers that are behind: a page for all who wait at one cursor."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from flowmaestro.storage import EventLog, StorageError
from flowmaestro.streaming.errors import LogGap
from flowmaestro.streaming.lane.group import Group

CONCURRENT_READS = 2
"""How many pages are read at once. Each is then encoded and written in one turn of the loop, so
this is also what a turn may cost those who are level: a replay has no right to more."""

_logger = logging.getLogger(__name__)


class CatchUp:
    """Serves cursors in the order they came, so that a long log takes its turn with the others."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._queue: deque[tuple[Group, int]] = deque()
        self._reading = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    def read_soon(self, group: Group, cursor: int) -> None:
        """Bring *group* the page after *cursor*, or the news that there is none to be had."""
        self._queue.append((group, cursor))
        if self._reading < CONCURRENT_READS:
            self._reading += 1
            task = asyncio.get_running_loop().create_task(self._read_queue())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read_queue(self) -> None:
        # It counts itself out in the very step that finds the queue empty: nothing can be queued
        # in between that nobody would read.
        try:
            while self._queue:
                group, cursor = self._queue.popleft()
                if group.awaits(cursor):
                    await self._read(group, cursor)
        finally:
            self._reading -= 1

    async def _read(self, group: Group, cursor: int) -> None:
        execution_id = group.topic.execution_id
        try:
            records = await self._log.read(execution_id, after=cursor, limit=group.page_records)
            group.page(cursor, records)
        except Exception as error:
            # The streams end here and their readers resume: that may succeed, or tell them why not.
            foreseen = isinstance(error, StorageError | LogGap)
            group.counters.log_gaps += isinstance(error, LogGap)
            _logger.warning(
                "streams were cut off: %s",
                error,
                exc_info=not foreseen,
                extra={"execution_id": execution_id},
            )
            group.cut_off(cursor)
