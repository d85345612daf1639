"""The event log: append, read, and hear of commits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from time import perf_counter

from flowmaestro.events import ExecutionStarted, encode_event
from flowmaestro.storage import reading, retention
from flowmaestro.storage.errors import EventTooLarge, LogEnded
from flowmaestro.storage.folding import ending_of
from flowmaestro.storage.models import LogEntry, LogHead, LogRecord
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.schema import to_milliseconds
from flowmaestro.storage.sqlite.appends import Append, Ending
from flowmaestro.storage.sqlite.readers import Readers
from flowmaestro.storage.sqlite.writer import Writer
from flowmaestro.storage.statistics import StorageStatistics

_logger = logging.getLogger(__name__)
CommitListener = Callable[[str, list[LogRecord]], None]


class EventLog:
    """The append-only logs of all executions. Made by :class:`~flowmaestro.storage.Storage`."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        listeners: CommitListeners,
        options: StorageOptions,
        statistics: StorageStatistics,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._listeners = listeners
        self._options = options
        self._statistics = statistics

    @property
    def durable_at(self) -> float:
        """When what a listener is being told of became durable, on the clock of
        :func:`time.perf_counter`; of use inside a listener only."""
        return self._writer.durable_at

    async def append(self, execution_id: str, entries: Sequence[LogEntry]) -> list[LogRecord]:
        """Append events, all or none, and return once they are durable.

        They get the next numbers of the execution's log. An entry whose key is in the log
        already is dropped, so that repeating an append is safe; when all are dropped nothing
        happens, even on a log that has ended. The same transaction brings the execution's row
        up to date with ``execution:started`` and with the terminal event.

        Returns:
            The newly appended events, in order.

        Raises:
            LogEnded: the terminal event is in the log, or an entry follows one in *entries*.
            UnknownExecution: there is no such execution.
            EventTooLarge: an event is over ``StorageOptions.max_event_bytes``.
            EventEncodeError: an event cannot be told in JSON.
            ValueError: an event belongs to another execution.
            StorageUnavailable: the disk is full, the database locked, …; nothing was appended.

        Cancelling it while it waits for a place in the full queue appends nothing. Later it does
        not undo the append, which will be committed or fail as a whole.
        """
        encoded: list[tuple[str, str | None, str]] = []
        size = 0
        started_at: int | None = None
        ending: Ending | None = None
        for entry in entries:
            event = entry.event
            if event.execution_id != execution_id:
                raise ValueError(
                    f"an event of execution {event.execution_id!r} does not belong into the log "
                    f"of {execution_id!r}"
                )
            if ending is not None:
                raise LogEnded(execution_id)
            data = encode_event(event) if entry.data is None else entry.data
            bytes_of_data = len(data) if data.isascii() else len(data.encode())
            if bytes_of_data > self._options.max_event_bytes:
                raise EventTooLarge(self._options.max_event_bytes, bytes_of_data)
            size += bytes_of_data
            encoded.append((event.type, entry.key, data))
            if event.terminal:
                ending = ending_of(event, data)
            elif isinstance(event, ExecutionStarted):
                started_at = to_milliseconds(event.started_at)
        if not encoded:
            return []
        writer = self._writer
        if not writer.gate.try_enter(size):
            await writer.gate.enter(size)
        future = asyncio.get_running_loop().create_future()
        now = perf_counter()
        writer.put(Append(execution_id, encoded, size, started_at, ending, future, now))
        records: list[LogRecord] = await future
        return records

    async def read(self, execution_id: str, *, after: int, limit: int) -> list[LogRecord]:
        """Return the events after number *after*, oldest first: a page of at most *limit*.

        The page is shorter when the events are large (``StorageOptions.max_page_bytes``); only
        the end of the log makes it empty.

        Raises:
            CursorExpired: events after *after* were removed by retention.
            UnknownExecution: there is no such execution.
            StorageUnavailable: it could not be read.
        """
        return await self._readers.read(
            partial(
                reading.read_page,
                execution_id=execution_id,
                after=after,
                limit=limit,
                max_bytes=self._options.max_page_bytes,
            )
        )

    async def head(self, execution_id: str) -> LogHead:
        """Return where the log stands.

        Raises:
            UnknownExecution: there is no such execution.
            StorageUnavailable: it could not be read.
        """
        return await self._readers.read(partial(reading.read_head, execution_id=execution_id))

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        """Call ``listener(execution_id, records)`` after each commit, for each append in it.

        It is called in the event loop's thread, in the order of the commits, for one execution in
        the order of the numbers, and before the append returns. It must not block. What it raises
        is logged and goes no further.

        Returns:
            A function that removes the listener; calling it again does nothing.
        """
        return self._listeners.add(listener)

    async def trim(self, older_than: datetime | None, keep_last: int | None) -> int:
        """Remove events of finished executions, in small transactions between the appends.

        A later read from before what is kept raises :class:`CursorExpired`. Executions' rows stay.

        Args:
            older_than: Only of executions that finished before this moment; ``None``: of all.
            keep_last: How many of each log's newest events to keep; ``None``: none.

        Returns:
            How many events were removed.

        Raises:
            ValueError: both are ``None``, or *keep_last* is negative.
            StorageUnavailable: it stopped half way; what it did stays done.

        Cancelling it ends it after the transaction that is under way.
        """
        if keep_last is not None and keep_last < 0:
            raise ValueError("keep_last is a number of events: 0 or more")
        if older_than is None and keep_last is None:
            raise ValueError("to trim takes an age or a number of events to keep")
        removed = await retention.trim(self._writer, self._readers, older_than, keep_last or 0)
        self._statistics.events_removed += removed
        return removed


class CommitListeners:
    """Who is told of commits."""

    def __init__(self) -> None:
        self._listeners: tuple[CommitListener, ...] = ()

    def add(self, listener: CommitListener) -> Callable[[], None]:
        """Add a listener, and return what removes it."""
        entry: CommitListener = partial(listener)  # one object for each call of `add`
        self._listeners = (*self._listeners, entry)

        def remove() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not entry)

        return remove

    def tell(self, execution_id: str, records: list[LogRecord]) -> None:
        """Tell all of one append's records."""
        for listener in self._listeners:
            try:
                listener(execution_id, records)
            except Exception:
                _logger.exception("a listener to the log's commits failed")
