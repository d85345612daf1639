"""Executions that wait in the storage: left by an earlier engine, put off, or one too many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from flowmaestro.storage import Execution, Executions, StorageClosed, StorageUnavailable

from .log_context import detached

logger = logging.getLogger("flowmaestro.engine")

PAGE_EXECUTIONS = 100
RETRY_SECONDS = 1.0
"""How long to wait before the storage is asked again for work that it could not give."""


class Backlog:
    """Takes up what waits in the storage, oldest first and page by page, as room permits.

    Whatever comes while a page is being read is not in it; so nothing is concluded from a page but
    what still holds when it is there.

    :param executions: where they wait.
    :param begin: begins one; if it runs already, does nothing.
    :param has_room: whether a further one may be begun.
    """

    def __init__(
        self,
        executions: Executions,
        begin: Callable[[Execution], None],
        has_room: Callable[[], bool],
    ) -> None:
        self._executions = executions
        self._begin = begin
        self._has_room = has_room
        self._open = True
        self._waiting = False
        self._additions = 0
        self._taken_through: str | None = None
        self._ended: set[str] = set()
        """Those that ended while a page was being read, which may show them as they were."""
        self._filling: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        """Whether any wait, as far as is known: who comes now has to get in line."""
        return self._waiting

    def add(self) -> None:
        """Take note that there is one more, or may be."""
        self._waiting = True
        self._additions += 1
        self.take_up()

    def put_off(self) -> None:
        """Take note that one which was begun must be begun again, in a moment."""
        self._waiting = True
        if self._open and self._retry is None:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(RETRY_SECONDS, self._from_the_oldest, context=detached())

    def ended(self, execution_id: str) -> None:
        """Take note that one has ended, which may make room."""
        if self._filling is not None:
            self._ended.add(execution_id)
        self.take_up()

    def take_up(self) -> None:
        """See to it that those that wait are begun as room permits."""
        if self._open and self._waiting and self._filling is None and self._has_room():
            self._filling = asyncio.get_running_loop().create_task(self._fill(), context=detached())
            self._filling.add_done_callback(self._filled)

    def close(self) -> None:
        """Begin no more."""
        self._open = False
        if self._filling is not None:
            self._filling.cancel()
        if self._retry is not None:
            self._retry.cancel()

    def _from_the_oldest(self) -> None:
        self._retry = None
        self._taken_through = None
        self.add()

    def _filled(self, task: asyncio.Task[None]) -> None:
        self._filling = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("cannot take up waiting executions", exc_info=error)
            self.put_off()
        else:
            self.take_up()  # there was no room, and may have become some since

    async def _fill(self) -> None:
        while self._open and self._has_room():
            after, additions = self._taken_through, self._additions
            self._ended.clear()
            try:
                page = await self._executions.unfinished(after=after, limit=PAGE_EXECUTIONS)
            except StorageClosed:
                self._open = False
                return
            except StorageUnavailable as error:
                logger.warning("cannot read the waiting executions: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self._taken_through != after:
                continue
            if not page and self._additions == additions:
                self._waiting = False
                return
            for execution in page:
                if not self._has_room():
                    return
                self._taken_through = execution.id
                if execution.id not in self._ended:
                    self._begin(execution)
