"""A reader's place in a log: ``cursor + (behind | level)``. Pure: no I/O, no clock, no waiting.

Catching up, resuming and being slow are one thing here, *behind*: the reader's shell reads pages
of the log and tells of them with :meth:`Subscription.page`. A page that reaches the newest number
makes the subscription *level*: commits are then offered to it as they come, and wait in a buffer of
bounded size until the shell takes them. A commit that does not fit, or does not follow on what is
there, puts it behind again. Nothing is lost by that, for the log has it.

The shell owns the I/O: :class:`~flowmaestro.streaming.reader.Reader`, which a task pulls from. On
the lane the same idea is kept for many at once, by :mod:`flowmaestro.streaming.lane.group`.
"""

from __future__ import annotations

from flowmaestro.streaming.errors import LogGap
from flowmaestro.streaming.views import Batch, Chunk


class Subscription:
    """The state of one reader.

    ``cursor`` never falls and never skips: each event after the first cursor is handed out exactly
    once, in order, by a page or by :meth:`take`, or is hidden and passed over.
    """

    __slots__ = (
        "_buffer",
        "_buffer_limit_bytes",
        "_buffered_bytes",
        "_buffered_events",
        "_end",
        "_tail",
        "cursor",
        "level",
        "newest",
        "overflows",
    )

    def __init__(self, *, cursor: int, buffer_limit_bytes: int) -> None:
        """Start behind, after event number *cursor* (0: before the first)."""
        self.cursor = cursor
        """The newest number that was handed to the reader or hidden from it."""
        self.newest = cursor
        """The newest number in the log, as far as it is known here."""
        self.level = False
        """Whether everything between the cursor and the newest number is in the buffer."""
        self.overflows = 0
        """How often the buffer was full."""
        self._tail = cursor  # the newest number in the buffer; the cursor when that is empty
        self._end: int | None = None  # the terminal event's number, once it is known
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._buffered_events = 0
        self._buffer_limit_bytes = buffer_limit_bytes

    @property
    def buffered_bytes(self) -> int:
        """How much waits to be taken."""
        return self._buffered_bytes

    @property
    def finished(self) -> bool:
        """Whether the terminal event was handed out: nothing will follow."""
        return self._end is not None and self.cursor >= self._end

    def joined(self, newest: int) -> None:
        """Take note of the log's newest number, which must be read *after* commits began to be
        offered: an event is then either in what was noted, or offered."""
        self.newest = max(self.newest, newest)
        self.level = self.cursor >= self.newest

    def offer(self, batch: Batch, chunk: Chunk) -> bool:
        """Take a commit, of which *chunk* is what this reader sees.

        Returns:
            Whether there is something to do for the reader now: take the buffer, or read a page.
            While it is behind there always was, so the answer is no.
        """
        self.newest = max(self.newest, batch.last)
        if not self.level or batch.last <= self._tail:  # a page has brought it already
            return False
        if batch.first != self._tail + 1:
            self.fall_behind()
            return True
        if chunk.body:
            if self._buffered_bytes + len(chunk.body) > self._buffer_limit_bytes:
                self.overflows += 1
                self.fall_behind()
                return True
            self._buffer.append(chunk.body)
            self._buffered_bytes += len(chunk.body)
            self._buffered_events += chunk.events
        self._reach(batch.last, ended=batch.ended)
        return bool(chunk.body)

    def take(self) -> Chunk:
        """Empty the buffer and return what was in it."""
        buffer = self._buffer
        # The usual single chunk is passed on as it is: its bytes are shared by every reader.
        chunk = Chunk(buffer[0] if len(buffer) == 1 else b"".join(buffer), self._buffered_events)
        self._empty_buffer()
        self.cursor = self._tail
        return chunk

    def fall_behind(self) -> None:
        """Drop the buffer: what follows the cursor is read from the log."""
        self._empty_buffer()
        self._tail = self.cursor
        self.level = False

    def page(self, first: int, last: int, *, ended: bool) -> None:
        """Advance over a page of the log that was read after the cursor and is handed out now.

        Args:
            first: the number of the page's first record.
            last: the number of its last one.
            ended: whether that one is the terminal event.

        Raises:
            LogGap: the page does not follow on the cursor; nothing has changed.
        """
        if first != self.cursor + 1:
            raise LogGap(self.cursor, first)
        self.newest = max(self.newest, last)
        self._reach(last, ended=ended)
        self.level = last >= self.newest

    def empty_page(self, known: int) -> None:
        """Take note that the log held nothing after the cursor.

        Args:
            known: what ``newest`` was when the read began; a commit may have come since.

        Raises:
            LogGap: the log was known to hold more.
        """
        if known > self.cursor:
            raise LogGap(self.cursor, None)
        self.level = self.cursor >= self.newest

    def _reach(self, number: int, *, ended: bool) -> None:
        self._tail = number
        if ended:
            self._end = number
        if not self._buffer:
            self.cursor = number

    def _empty_buffer(self) -> None:
        # Not clear(): an idle reader's list should hold no capacity.
        self._buffer = []
        self._buffered_bytes = 0
        self._buffered_events = 0
