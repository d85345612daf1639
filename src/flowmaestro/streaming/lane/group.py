"""The readers of one execution that see it alike, and get the same bytes.

Each is in one of four places::

    level      has been given every event up to the group's cursor: it gets commits as they come
    behind     has been given less: a page of the log is on its way, one for all of one cursor
    full       its transport holds as much as it may: it gets nothing until that has drained
    ending     has been given its last byte; its transport may still hold some

``offer`` is the loop that all of this is for: a commit's bytes, made once, are written to every
level reader's transport. What costs there is the system call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from flowmaestro.events import TERMINAL_TYPES
from flowmaestro.storage import LogRecord
from flowmaestro.streaming.errors import LogGap
from flowmaestro.streaming.hub import StreamingCounters
from flowmaestro.streaming.lane.services import Services
from flowmaestro.streaming.lane.stream import Stream
from flowmaestro.streaming.paging import PageSize
from flowmaestro.streaming.topic import Topic
from flowmaestro.streaming.views import Batch, Chunk, View, render

MAX_KEPT_PAGE_BYTES = 16 * 1024
"""A page is kept for the next who asks for it only if it is no longer than this."""


class KeptPage(NamedTuple):
    """What there is after *cursor*, up to the group's."""

    cursor: int
    chunk: Chunk


class Group:
    """A member of a topic that stands for any number of readers.

    A level reader has no cursor of its own: it has been given exactly what is numbered up to the
    group's. So a reader joins the level ones only with that very cursor, and takes it along when it
    falls behind, which keeps the loop free of bookkeeping and each event in it once.
    """

    __slots__ = (
        "_ahead",
        "_behind",
        "_ending",
        "_full",
        "_last_page",
        "_level",
        "_piece_bytes",
        "_services",
        "_size",
        "cursor",
        "readers",
        "topic",
        "view",
    )

    def __init__(self, services: Services, topic: Topic, view: View) -> None:
        """Take the readers of *topic*, whose head is known, that have this *view*."""
        options = services.hub.options
        self.topic = topic
        self.view = view
        self.cursor = topic.newest
        """The newest number in the log, as far as it is known here."""
        self.readers = 0
        self._services = services
        self._level: set[Stream] = set()
        # By cursor. There is a page on its way for each, also when nobody waits for it any more.
        self._behind: dict[int, dict[Stream, None]] = {}
        # By cursor too, one past the group's: they saw an event before the hub was told of it.
        self._ahead: dict[int, dict[Stream, None]] = {}
        self._full: set[Stream] = set()
        self._ending: set[Stream] = set()
        self._last_page: KeptPage | None = None
        self._piece_bytes = min(options.page_bytes, options.buffer_bytes // 2)
        self._size = PageSize(max_records=options.page_records, page_bytes=self._piece_bytes)
        topic.join(self)

    @property
    def behind(self) -> int:
        return self.readers - len(self._level)

    @property
    def counters(self) -> StreamingCounters:
        return self._services.hub.counters

    @property
    def lag(self) -> int:
        waiting = [cursor for cursor, streams in self._behind.items() if streams]
        full = (stream.cursor for stream in self._full)
        return self.cursor - min(chain(waiting, full), default=self.cursor)

    def lag_of(self, stream: Stream) -> int:
        """Return how many events *stream* has yet to be given."""
        return 0 if stream in self._level else max(0, self.cursor - stream.cursor)

    @property
    def page_records(self) -> int:
        """How many records the next page should have."""
        return self._size.records

    def add(self, stream: Stream, opening: bytes) -> None:
        """Take a reader that was given nothing after its cursor, and write *opening* to it."""
        self.readers += 1
        kept = self._last_page
        if kept is not None and kept.cursor == stream.cursor:
            stream.cursor = self.cursor
            self._services.hub.counters.events_delivered += kept.chunk.events
            opening += kept.chunk.body
        stream.write(opening)
        if stream.group is not None and not stream.full:
            self._place(stream)

    def leave(self, stream: Stream) -> None:
        """Let a reader go."""
        self._take_out(stream)
        self._services.unwatch(stream)
        self._services.hub.admission.leave(stream.owner)
        self.readers -= 1
        if not self.readers:
            self.topic.leave(self)
            self._services.empty(self)

    def offer(self, batch: Batch) -> None:
        if batch.last <= self.cursor:  # the head that the group began with had it
            return
        self._last_page = None
        if batch.first != self.cursor + 1:
            # A commit was not told of. The log has it.
            streams = tuple(self._level)
            for stream in streams:
                self._take_out(stream)
            self.cursor = batch.last
            for stream in streams:
                self._place(stream)
        else:
            self._deliver(batch)
        if self._ahead:
            self._catch_up_with_those_ahead()

    def page(self, cursor: int, records: list[LogRecord]) -> None:
        """Give those who wait at *cursor* what the log holds after it, which is something.

        Raises:
            LogGap: the log lacks what follows the cursor; nothing has changed.
        """
        if not records or records[0].number != cursor + 1:
            raise LogGap(cursor, records[0].number if records else None)
        records = self._size.cut(records)
        chunk = render(records, self.view)
        self._size.learn(chunk.events, len(chunk.body))
        last = records[-1]
        ended = last.type in TERMINAL_TYPES
        body = chunk.body + self.view.framing.end if ended else chunk.body
        streams = self._behind.pop(cursor)
        if last.number == self.cursor and len(body) <= MAX_KEPT_PAGE_BYTES and not ended:
            self._last_page = KeptPage(cursor, Chunk(body, chunk.events))
        self._services.hub.counters.events_delivered += chunk.events * len(streams)
        for stream in streams:
            stream.cursor = last.number
            if body:
                stream.write(body)
            if stream.group is None:
                continue  # its transport failed
            if ended:
                self._complete(stream)
            elif not stream.full:
                self._place(stream)

    def cut_off(self, cursor: int) -> None:
        """End the streams that wait at *cursor*: the log could not be read. They will resume."""
        for stream in self._behind.pop(cursor, ()):
            self._services.hub.counters.log_failures += 1
            self._end(stream)

    def awaits(self, cursor: int) -> bool:
        """Return whether anybody waits for the page after *cursor*; if not, it is off."""
        if self._behind[cursor]:
            return True
        del self._behind[cursor]
        return False

    def heartbeat(self, streams: Iterable[Stream]) -> None:
        """Give a sign of life to those of *streams* that could take one."""
        self._last_page = None  # it is quiet here, and nobody asked for long
        sign = self.view.framing.wrap(self.view.format.heartbeat)
        for stream in streams:
            if stream.group is self and not stream.full and stream not in self._ending:
                if stream.transport.get_write_buffer_size():
                    # It has not taken what it was given long ago.
                    self._services.watch(stream)
                stream.write(sign)

    def members(self) -> Iterator[Stream]:
        """Iterate over the readers: over a copy, since what is done to one may move another."""
        waiting = chain(self._behind.values(), self._ahead.values())
        return iter(tuple(chain(self._level, *waiting, self._full, self._ending)))

    def on_full(self, stream: Stream) -> None:
        """The reader's transport holds as much as it may."""
        if stream in self._level:
            self._services.hub.counters.overflows += 1
        if stream not in self._ending:
            self._take_out(stream)
            self._full.add(stream)
        self._services.watch(stream)

    def on_drained(self, stream: Stream) -> None:
        """The reader's transport has room again."""
        self._services.unwatch(stream)
        if stream in self._ending:
            self._services.complete_soon(stream)
        elif stream in self._full:
            self._full.remove(stream)
            self._place(stream)

    def end(self, owners: Collection[str] | None = None) -> None:
        for stream in self.members():
            if owners is None or stream.owner in owners:
                self.close(stream)

    def close(self, stream: Stream) -> None:
        """End a reader's stream on a whole frame that says when to reconnect."""
        if stream not in self._ending:
            self._take_out(stream)
            self._end(stream)
        if stream in self._ending and stream.full:
            self._services.watch(stream)

    def _deliver(self, batch: Batch) -> None:
        body = b""
        for last, chunk in batch.pieces(self.view, self._piece_bytes):
            body = chunk.body
            if batch.ended and last == batch.last:
                body += self.view.framing.end
            self.cursor = last
            if body:
                self._services.hub.counters.events_delivered += chunk.events * len(self._level)
                self._write(body)
        if batch.ended:
            for stream in tuple(self._level):
                self._take_out(stream)
                self._complete(stream)
            for stream in [one for one in self._full if one.cursor == self.cursor]:
                self._complete(stream)  # the last bytes were what filled its transport
        elif body and self._level:
            self._services.written(self)

    def _write(self, body: bytes) -> None:
        # A copy, since a reader whose transport is full leaves in the middle of it.
        for stream in tuple(self._level):
            try:
                stream.transport.write(body)
            except Exception:
                # Whatever one transport has against it, the others must not miss this.
                stream.broke()

    def _place(self, stream: Stream) -> None:
        cursor = stream.cursor
        if cursor == self.cursor:
            self._level.add(stream)
            return
        waiting = self._ahead if cursor > self.cursor else self._behind
        streams = waiting.get(cursor)
        if streams is None:
            streams = waiting[cursor] = {}
            if waiting is self._behind:
                self._services.read_soon(self, cursor)
        streams[stream] = None

    def _take_out(self, stream: Stream) -> None:
        if stream in self._level:
            self._level.remove(stream)
            stream.cursor = self.cursor
            return
        for waiting in (self._behind, self._ahead):
            waiting.get(stream.cursor, {}).pop(stream, None)
        self._full.discard(stream)
        self._ending.discard(stream)

    def _catch_up_with_those_ahead(self) -> None:
        for cursor in [cursor for cursor in self._ahead if cursor <= self.cursor]:
            for stream in self._ahead.pop(cursor):
                self._place(stream)

    def _end(self, stream: Stream) -> None:
        view, retry_ms = self.view, self._services.hub.retry_ms()
        closing = view.format.closing(retry_ms)
        stream.write((view.framing.wrap(closing) if closing else b"") + view.framing.end)
        if stream.group is not None:
            self._complete(stream)

    def _complete(self, stream: Stream) -> None:
        self._full.discard(stream)
        self._ending.add(stream)
        if not stream.full:
            self._services.complete_soon(stream)
