"""The hub: hears of every commit and hands it to those who follow that execution."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Protocol

from flowmaestro.storage import EventLog, LogRecord
from flowmaestro.streaming.errors import HubClosed
from flowmaestro.streaming.options import StreamingOptions
from flowmaestro.streaming.views import Batch, Chunk, View


class Member(Protocol):
    """One who follows an execution."""

    @property
    def behind(self) -> bool:
        """Whether it is being served from the log just now."""

    def offer(self, batch: Batch, chunk: Chunk) -> None:
        """Take a commit, of which *chunk* is what the member's view shows. It runs while the
        commit's writer waits: no blocking, and no joining or leaving."""

    def end(self) -> None:
        """The server is shutting down: finish, then leave."""


@dataclass(slots=True)
class StreamingCounters:
    """What happened since the start; they only grow."""

    opened: int = 0
    """Streams that began."""
    events_delivered: int = 0
    """Events handed to readers, once for each reader."""
    overflows: int = 0
    """How often a level reader's buffer was full, so that it fell behind."""
    drops: int = 0
    """Readers dropped because they took nothing."""
    log_failures: int = 0
    """Streams cut off because the log could not be read."""


@dataclass(frozen=True, slots=True)
class StreamingGauges:
    """How things stand."""

    topics: int
    """Executions that somebody follows."""
    subscriptions: int
    """Those who follow, each counted for itself."""
    level: int
    """Of these, those who have all there is."""
    behind: int
    """Of these, those who are served from the log."""


class Hub:
    """Brings commits to readers. One for a server; it belongs to the event loop it is used in."""

    def __init__(
        self,
        log: EventLog,
        options: StreamingOptions | None = None,
        *,
        random: Random | None = None,
    ) -> None:
        """Listen to the *log*; *random* spreads reconnects and is a new one by default."""
        self.log = log
        self.options = options or StreamingOptions()
        self.counters = StreamingCounters()
        self._random = random or Random()  # noqa: S311 - it spreads load and guards nothing
        self._topics: dict[str, dict[View, set[Member]]] = {}
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._stop_listening = log.on_commit(self._publish)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def join(self, execution_id: str, view: View, member: Member) -> None:
        """Offer *member* every commit of the execution from now on.

        Raises:
            HubClosed: the server is shutting down.
        """
        if self._closed:
            raise HubClosed
        self._topics.setdefault(execution_id, {}).setdefault(view, set()).add(member)
        self._empty.clear()

    def leave(self, execution_id: str, view: View, member: Member) -> None:
        """Undo :meth:`join`. Doing it again changes nothing."""
        topic = self._topics.get(execution_id, {})
        members = topic.get(view, set())
        members.discard(member)
        if not members:
            topic.pop(view, None)
        if not topic:
            self._topics.pop(execution_id, None)
        if not self._topics:
            self._empty.set()

    def retry_ms(self) -> int:
        """Return how long one reader should wait before it reconnects: each gets another time."""
        return self._random.randint(self.options.min_retry_ms, self.options.max_retry_ms)

    def gauges(self) -> StreamingGauges:
        """Return how things stand. It counts: one step for each reader."""
        members = [
            member
            for topic in self._topics.values()
            for group in topic.values()
            for member in group
        ]
        behind = sum(member.behind for member in members)
        return StreamingGauges(
            topics=len(self._topics),
            subscriptions=len(members),
            level=len(members) - behind,
            behind=behind,
        )

    def close(self) -> None:
        """End every stream, each on a whole frame, and open no more. Repeating it does nothing.

        Readers find out at once, but leave when they have written their last bytes:
        :meth:`wait_empty` waits for that.
        """
        if self._closed:
            return
        self._closed = True
        self._stop_listening()
        for topic in tuple(self._topics.values()):
            for members in tuple(topic.values()):
                for member in tuple(members):
                    member.end()

    async def wait_empty(self) -> None:
        """Return when nobody follows anything. Cancelling it changes nothing."""
        await self._empty.wait()

    def _publish(self, execution_id: str, records: list[LogRecord]) -> None:
        topic = self._topics.get(execution_id)
        if topic is None or not records:
            return
        batch = Batch(records)
        for view, members in topic.items():
            chunk = batch.chunk(view)
            for member in members:
                member.offer(batch, chunk)
