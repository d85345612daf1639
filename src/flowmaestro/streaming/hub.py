"""The hub: hears of every commit and brings it to those who follow that execution."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from random import Random
from time import perf_counter

from flowmaestro.storage import SHORT_SECONDS, Distribution, EventLog, LogRecord
from flowmaestro.streaming.admission import Admission
from flowmaestro.streaming.errors import HubClosed
from flowmaestro.streaming.options import StreamingOptions
from flowmaestro.streaming.topic import Topic


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
    commit_gaps: int = 0
    """Commits whose numbers did not follow on those heard of before: the log was read instead.
    Should be 0."""
    commit_repeats: int = 0
    """Commits whose numbers had been heard of before. Should be 0."""
    log_gaps: int = 0
    """Pages of the log that lacked what follows a cursor. Should be 0."""


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
    """Of these, the others: served from the log, full, or given their last bytes."""
    largest_lag: int
    """How many events the reader that is farthest behind has yet to be given."""


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
        self.delivery_seconds = Distribution(SHORT_SECONDS)
        """From a commit's being durable to its being written for every level reader of its
        execution: one value a commit, however many these are."""
        self.admission = Admission(self.options.max_streams, self.options.max_streams_per_owner)
        self._random = random or Random()  # noqa: S311 - it spreads load and guards nothing
        self._topics: dict[str, Topic] = {}
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._stop_listening = log.on_commit(self._publish)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def follow(self, execution_id: str) -> Topic:
        """Return the execution's topic, which the caller holds and must release.

        Raises:
            HubClosed: the server is shutting down.
        """
        if self._closed:
            raise HubClosed
        topic = self._topics.get(execution_id)
        if topic is None:
            topic = self._topics[execution_id] = Topic(execution_id, self.log, self._drop)
            self._empty.clear()
        return topic.hold()

    def retry_ms(self) -> int:
        """Return how long one reader should wait before it reconnects: each gets another time."""
        return self._random.randint(self.options.min_retry_ms, self.options.max_retry_ms)

    def gauges(self) -> StreamingGauges:
        """Return how things stand. It counts: one step for each member of each topic."""
        members = [member for topic in self._topics.values() for member in topic.members]
        readers = sum(member.readers for member in members)
        behind = sum(member.behind for member in members)
        return StreamingGauges(
            topics=len(self._topics),
            subscriptions=readers,
            level=readers - behind,
            behind=behind,
            largest_lag=max((member.lag for member in members), default=0),
        )

    def queues(self) -> dict[str, tuple[int, int | None]]:
        """Return how many streams are open, and how many may be."""
        return {"streams": (self.admission.open, self.options.max_streams)}

    def end_streams_of(self, owners: Collection[str]) -> None:
        """End every stream of these *owners* on a whole frame, as at shutdown."""
        self._end(owners)

    def close(self) -> None:
        """End every stream, each on a whole frame, and open no more. Repeating it does nothing.

        Readers find out at once, but leave when they have written their last bytes:
        :meth:`wait_empty` waits for that.
        """
        if self._closed:
            return
        self._closed = True
        self._stop_listening()
        self._end(None)

    async def wait_empty(self) -> None:
        """Return when nobody follows anything. Cancelling it changes nothing."""
        await self._empty.wait()

    def _end(self, owners: Collection[str] | None) -> None:
        for topic in tuple(self._topics.values()):
            for member in tuple(topic.members):
                member.end(owners)

    def _drop(self, topic: Topic) -> None:
        del self._topics[topic.execution_id]
        if not self._topics:
            self._empty.set()

    def _publish(self, execution_id: str, records: list[LogRecord]) -> None:
        topic = self._topics.get(execution_id)
        if topic is None or not records:
            return
        first = records[0].number
        if first > topic.newest + 1 and topic.known:
            self.counters.commit_gaps += 1
        elif first <= topic.heard:
            self.counters.commit_repeats += 1
        topic.publish(records)
        self.delivery_seconds.observe(perf_counter() - self.log.durable_at)
