"""The threads that read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from flowmaestro.storage.errors import StorageClosed, StorageUnavailable
from flowmaestro.storage.sqlite.faults import is_fault, unavailable
from flowmaestro.storage.statistics import StorageStatistics

Result = TypeVar("Result")


class Readers:
    """A few threads with a connection each, so that no query blocks the event loop.

    A read sees every write that was awaited before.
    """

    def __init__(self, engine: sa.Engine, threads: int, statistics: StorageStatistics) -> None:
        self._engine = engine
        self._statistics = statistics
        self.pending = 0
        """How many reads are under way or wait for a thread."""
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="flowmaestro-storage-reader"
        )
        self._closed = False

    async def read(self, query: Callable[[sa.Connection], Result]) -> Result:
        """Run ``query(connection)`` in a reader's thread and return what it returns.

        Raises:
            StorageClosed: the readers were closed.
            StorageUnavailable: the database failed.

        Cancelling it lets the query run to its end, unheard.
        """
        if self._closed:
            raise StorageClosed
        loop = asyncio.get_running_loop()
        self.pending += 1
        try:
            return await loop.run_in_executor(self._executor, self._run, query)
        except StorageUnavailable:
            self._statistics.read_failures += 1
            raise
        finally:
            self.pending -= 1

    async def aclose(self) -> None:
        """Let the queries that are under way end, then end the threads."""
        self._closed = True
        # To shut an executor down is to wait for its threads, which this one must not do.
        await asyncio.to_thread(self._executor.shutdown)
        self._engine.dispose()

    def _run(self, query: Callable[[sa.Connection], Result]) -> Result:
        try:
            with self._engine.connect() as connection:
                return query(connection)
        except sa.exc.SQLAlchemyError as error:
            if is_fault(error):
                raise unavailable(error) from error
            raise
