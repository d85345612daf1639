"""The one thread that writes, and its group commit.

A commit costs one wait for the disk, however much is in it. So whatever was asked for while the
last commit was under way is written by the next one together, and all who asked are told by one
call into the event loop. The thread and the loop hand work over in lists, once an iteration of
the loop each way, because each hand-over makes one of them wait for the other's hold on the
interpreter.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from flowmaestro.storage.errors import StorageClosed
from flowmaestro.storage.models import LogRecord
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.sqlite.appends import Append, Heads, RepeatSuspected, append_all
from flowmaestro.storage.sqlite.faults import is_fault, unavailable
from flowmaestro.storage.sqlite.gate import Gate
from flowmaestro.storage.statistics import StorageStatistics

_logger = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Write(Generic[Result]):
    """Any write but an append: a function of the connection, run inside a savepoint.

    It may run more than once, each time after what it did was rolled back.
    """

    work: Callable[[sa.Connection], Result]
    future: asyncio.Future[Result]
    result: Result | None = None
    error: BaseException | None = None
    size: int = 0


Operation = Append | Write[Any]


class Writer:
    """Runs operations in groups, one transaction each, in the order they came.

    Its methods belong to the event loop's thread.

    Args:
        engine: Its transactions take the write lock at once.
        options: The bounds of groups and of the queue.
        committed: Called in the loop's thread for each append that was committed.
        statistics: Where to count.
    """

    def __init__(
        self,
        engine: sa.Engine,
        options: StorageOptions,
        committed: Callable[[str, list[LogRecord]], None],
        statistics: StorageStatistics,
    ) -> None:
        self.durable_at = 0.0
        """When what is being told of now was durable, on the clock of ``time.perf_counter``."""
        self.gate = Gate(options.max_queued_writes, options.max_queued_bytes)
        self._loop = asyncio.get_running_loop()
        self._committed = committed
        self._statistics = statistics
        self._batch: list[Operation] = []
        self._batches: SimpleQueue[list[Operation] | None] = SimpleQueue()
        self._closed = False
        self._ended = asyncio.Event()
        self._thread = _WriterThread(
            engine, options.max_group_events, self._batches, self._finish_soon, statistics
        )
        self._thread.start()

    async def write(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Run ``work(connection)`` in the writer's thread and return what it returns, once that is
        durable. What it raises undoes what it did, and nothing else.

        Raises:
            StorageUnavailable: the database failed, and nothing was done.

        Cancelling it while it waits for a place in the queue keeps it from being done; later it
        will be done nevertheless.
        """
        if not self.gate.try_enter(0):
            await self.gate.enter(0)
        future: asyncio.Future[Result] = self._loop.create_future()
        self.put(Write(work, future))
        return await future

    def put(self, operation: Operation) -> None:
        """Queue an operation that has entered the gate; its future will get its outcome.

        Raises:
            StorageClosed: the writer was closed.
        """
        if self._closed:
            raise StorageClosed
        if not self._batch:
            # Whoever else runs in this iteration of the loop joins the same batch.
            self._loop.call_soon(self._hand_over)
        self._batch.append(operation)

    async def aclose(self) -> None:
        """Finish what is queued and end the thread."""
        if not self._closed:
            self._closed = True
            self.gate.close()
            if self._batch:
                self._hand_over()
            self._batches.put(None)
        await self._ended.wait()

    def _hand_over(self) -> None:
        if self._batch:
            self._batches.put(self._batch)
            self._batch = []

    def _finish_soon(self, group: list[Operation] | None) -> None:
        """Hand a finished group to the loop; ``None``: the thread has ended."""
        try:
            self._loop.call_soon_threadsafe(self._finish, group, time.perf_counter())
        except RuntimeError:  # the loop was closed without closing the storage
            _logger.debug("the event loop was closed while its storage was writing")

    def _finish(self, group: list[Operation] | None, durable_at: float) -> None:
        if group is None:
            self._ended.set()
            return
        size = 0
        self.durable_at = durable_at
        now = time.perf_counter()
        observe = self._statistics.append_seconds.observe
        for operation in group:
            size += operation.size
            error = operation.error
            future: asyncio.Future[Any] = operation.future
            if error is None:
                if isinstance(operation, Append) and operation.result:
                    observe(now - operation.queued_at)
                    self._committed(operation.execution_id, operation.result)
                if not future.done():
                    future.set_result(operation.result)
            elif not future.done():
                future.set_exception(error)
        self.gate.leave(len(group), size)


class _WriterThread(threading.Thread):
    """Takes batches from the queue, commits them in groups, and reports each group.

    A daemon, because a program that ends without closing its storage must still end: what was
    reported as committed is on the disk.
    """

    def __init__(
        self,
        engine: sa.Engine,
        max_group_events: int,
        batches: SimpleQueue[list[Operation] | None],
        report: Callable[[list[Operation] | None], None],
        statistics: StorageStatistics,
    ) -> None:
        super().__init__(name="flowmaestro-storage-writer", daemon=True)
        self._engine = engine
        self._max_group_events = max_group_events
        self._batches = batches
        self._report = report
        self._statistics = statistics
        self._connection: sa.Connection | None = None
        self._heads = Heads()

    def run(self) -> None:
        waiting: deque[Operation] = deque()
        last = False
        while True:
            try:
                while not last:
                    batch = self._batches.get(block=not waiting)
                    if batch is None:
                        last = True
                    else:
                        waiting.extend(batch)
            except Empty:
                pass
            if waiting:
                group = self._next_group(waiting)
                began = time.perf_counter()
                self._commit(group)
                self._statistics.commit_seconds.observe(time.perf_counter() - began)
                self._report(group)
            elif last:
                break
        self._disconnect()
        self._report(None)

    def _next_group(self, waiting: deque[Operation]) -> list[Operation]:
        group: list[Operation] = []
        events = 0
        while waiting:
            operation = waiting[0]
            events += len(operation.entries) if isinstance(operation, Append) else 1
            if group and events > self._max_group_events:
                break
            group.append(waiting.popleft())
        return group

    def _commit(self, group: list[Operation]) -> None:
        """Write a group in one transaction, and set every operation's result or error."""
        try:
            try:
                self._transact(group, careful=False)
            except (RepeatSuspected, sqlite3.IntegrityError):
                self._heads.clear()
                self._transact(group, careful=True)
        except Exception as error:
            self._disconnect()
            if is_fault(error):
                self._statistics.write_failures += 1
                for operation in group:
                    operation.error = unavailable(error)
            elif len(group) == 1:
                group[0].error = error
            else:  # a value that the driver refuses, say: find out whose, and spare the others
                for operation in group:
                    self._commit([operation])

    def _transact(self, group: list[Operation], *, careful: bool) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._engine.connect()
        # What is in one group was asked for at the same time, so that the order among executions
        # is free: appends come last, to be done together.
        appends: list[Append] = []
        writes: list[Write[Any]] = []
        for operation in group:
            if isinstance(operation, Append):
                appends.append(operation)
            else:
                writes.append(operation)
        # SQLAlchemy takes about 25 µs for a statement and more for a transaction or a savepoint,
        # which is much beside what an append costs. So these go to the driver below it.
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        if writes:
            with connection.begin():
                for write in writes:
                    _run(connection, driver, write)
                append_all(driver.cursor(), self._heads, appends, careful=careful)
            return
        cursor = driver.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            append_all(cursor, self._heads, appends, careful=careful)
            driver.commit()
        except BaseException:
            driver.rollback()
            raise

    def _disconnect(self) -> None:
        """Let go of a connection that may be in any state; the next group opens another."""
        self._heads.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sa.exc.SQLAlchemyError:
                connection.invalidate()


def _run(connection: sa.Connection, driver: sqlite3.Connection, write: Write[Any]) -> None:
    write.result = None
    write.error = None
    driver.execute("SAVEPOINT single_write")
    try:
        write.result = write.work(connection)
    except Exception as error:
        if is_fault(error):
            raise
        # What the driver or a column's type refuses (no JSON, say) comes wrapped in the statement.
        original = error.orig if isinstance(error, sa.exc.StatementError) else None
        write.error = error if original is None else original
        driver.execute("ROLLBACK TO single_write")
    driver.execute("RELEASE single_write")
