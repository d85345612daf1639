"""The shell of a subscription that a task pulls from and writes to wherever it likes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from enum import Enum
from typing import TypeAlias

from flowmaestro.storage import StorageError
from flowmaestro.streaming.drops import tell_drop
from flowmaestro.streaming.errors import LogGap
from flowmaestro.streaming.hub import Hub
from flowmaestro.streaming.paging import PageSize, read_page
from flowmaestro.streaming.subscription import Subscription
from flowmaestro.streaming.topic import Topic
from flowmaestro.streaming.views import Batch, Chunk, View

Write: TypeAlias = Callable[[bytes, bool], Awaitable[None]]
"""Takes whole frames, and whether more will follow; waits while the reader's socket is full."""

_logger = logging.getLogger(__name__)


class Outcome(Enum):
    """How a stream ended."""

    FINISHED = "finished"
    """The terminal event was written."""
    CLOSED = "closed"
    """The server is shutting down, or its owner may not read any more."""
    CUT_OFF = "cut off"
    """The log could not be read."""
    GONE = "gone"
    """The reader went away: :meth:`Reader.stop`."""
    DROPPED = "dropped"
    """The reader took nothing for too long. Its last bytes may end anywhere, and it is up to the
    caller to end the connection."""


class Reader:
    """One reader of one execution's log, from a cursor to the end.

    It follows from the moment it is made: :meth:`write_to` once, and :meth:`close` in any case.
    """

    __slots__ = (
        "_deadline",
        "_end",
        "_hub",
        "_owner",
        "_size",
        "_subscription",
        "_topic",
        "_view",
        "_waiter",
    )

    def __init__(self, hub: Hub, topic: Topic, view: View, *, cursor: int, owner: str = "") -> None:
        """Read what comes after event number *cursor*, for *owner*.

        The topic's head must be known: :meth:`Topic.head` was awaited, by a holder who has not let
        go of it yet. Whether the cursor makes sense there is for the caller to decide.
        """
        options = hub.options
        self._hub = hub
        self._topic = topic
        self._view = view
        self._owner = owner
        self._subscription = Subscription(cursor=cursor, buffer_limit_bytes=options.buffer_bytes)
        self._size = PageSize(max_records=options.page_records, page_bytes=options.page_bytes)
        self._end: Outcome | None = Outcome.CLOSED if hub.closed else None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline: asyncio.Timeout | None = None
        topic.join(self)
        self._subscription.joined(topic.newest)

    @property
    def readers(self) -> int:
        return 1

    @property
    def behind(self) -> int:
        return 0 if self._subscription.level else 1

    @property
    def lag(self) -> int:
        return self._subscription.newest - self._subscription.cursor

    @property
    def cursor(self) -> int:
        """The newest number that was handed to the reader or hidden from it."""
        return self._subscription.cursor

    async def write_to(self, write: Write, opening: bytes) -> Outcome:
        """Write *opening*, then every event after the cursor, to the end of the stream.

        *write* gets whole frames only. Its last call, with ``False``, is made for each outcome but
        ``GONE`` and ``DROPPED``.

        Raises:
            Whatever *write* raises.
        """
        self._hub.counters.opened += 1
        try:
            await self._write(write, opening, more=True)
            while (chunk := await self._next_chunk()) is not None:
                finished = self._subscription.finished
                await self._write(write, chunk, more=not finished)
                if finished:
                    return Outcome.FINISHED
            if self._end in (Outcome.CLOSED, Outcome.CUT_OFF):
                await self._write(
                    write, self._view.format.closing(self._hub.retry_ms()), more=False
                )
        except _Stalled:
            if self._end is not Outcome.GONE:
                self._hub.counters.drops += 1
                tell_drop(self._topic.execution_id, self._owner, self.lag)
                return Outcome.DROPPED
        assert self._end is not None
        return self._end

    def close(self) -> None:
        """Leave the execution's readers. Repeating it changes nothing."""
        self._topic.leave(self)

    def stop(self) -> None:
        """The reader has gone away: :meth:`write_to` returns at once, even out of a *write*."""
        self._end = Outcome.GONE
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())
        self._wake()

    def end(self, owners: Collection[str] | None = None) -> None:
        """:meth:`write_to` writes what is ready and returns soon."""
        if owners is not None and self._owner not in owners:
            return
        self._end = self._end or Outcome.CLOSED
        if self._deadline is not None and not self._deadline.expired():
            grace = self._hub.options.closing_grace_seconds
            self._deadline.reschedule(asyncio.get_running_loop().time() + grace)
        self._wake()

    def offer(self, batch: Batch) -> None:
        overflows = self._subscription.overflows
        if self._subscription.offer(batch, batch.chunk(self._view)):
            self._wake()
        self._hub.counters.overflows += self._subscription.overflows - overflows

    async def _next_chunk(self) -> bytes | None:
        """Return what to write next, ``None`` when there is nothing more to come."""
        subscription = self._subscription
        due = asyncio.get_running_loop().time() + self._hub.options.heartbeat_seconds
        while self._end is not Outcome.GONE:
            if subscription.buffered_bytes:
                return self._delivered(subscription.take())
            if self._end is not None:
                return None
            if not subscription.level:
                chunk = await self._read_page()
                if chunk is not None and chunk.body:
                    return self._delivered(chunk)
            else:
                await self._wait_until(due)
            # A log full of hidden events must not look like a dead connection either.
            if not subscription.buffered_bytes and asyncio.get_running_loop().time() >= due:
                return self._view.format.heartbeat
        return None

    async def _read_page(self) -> Chunk | None:
        try:
            return await read_page(
                self._hub.log, self._topic.execution_id, self._subscription, self._view, self._size
            )
        except (StorageError, LogGap) as error:
            # The stream ends here and the reader resumes: that may succeed, or tell it why not.
            fields = {"execution_id": self._topic.execution_id, "key_id": self._owner}
            _logger.warning("a stream was cut off: %s", error, extra=fields)
            self._hub.counters.log_failures += 1
            self._hub.counters.log_gaps += isinstance(error, LogGap)
            self._end = self._end or Outcome.CUT_OFF
            return None

    def _delivered(self, chunk: Chunk) -> bytes:
        self._hub.counters.events_delivered += chunk.events
        return chunk.body

    async def _write(self, write: Write, body: bytes, *, more: bool) -> None:
        options = self._hub.options
        seconds = (
            options.closing_grace_seconds if self._hub.closed else options.stalled_reader_seconds
        )
        try:
            async with asyncio.timeout(seconds) as self._deadline:
                await write(body, more)
        except TimeoutError as error:
            if self._deadline is None or not self._deadline.expired():
                raise
            raise _Stalled from error
        finally:
            self._deadline = None

    async def _wait_until(self, moment: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_at(moment, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Stalled(Exception):
    """A write took too long, or was called off."""
