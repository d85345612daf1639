"""Finite pages of a log for those who ask again and again instead of keeping a stream open."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from flowmaestro.events import TERMINAL_TYPES
from flowmaestro.streaming.hub import Hub
from flowmaestro.streaming.paging import PageSize
from flowmaestro.streaming.views import Batch

_MAX_PAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events of a log, each as its JSON text, oldest first."""

    events: list[str]
    next_cursor: int
    """The number to go on after: everything up to it is in a page, or is hidden."""
    done: bool
    """Whether the terminal event is in this page or before it: there will be no more."""


async def read_events(
    hub: Hub, execution_id: str, *, after: int, limit: int, visible: frozenset[str]
) -> EventPage:
    """Return at most *limit* events of the *visible* types after number *after*.

    Fewer when the log has no more, or when they are large (4 MiB).

    Raises:
        CursorExpired: events after *after* are no longer retained.
        UnknownExecution, StorageUnavailable: the log could not be read.
    """
    options = hub.options
    size = PageSize(max_records=options.page_records, page_bytes=options.page_bytes)
    events: list[str] = []
    events_bytes = 0
    cursor = after
    while records := await hub.log.read(execution_id, after=cursor, limit=size.records):
        read_bytes = 0
        for record in records:
            cursor = record.number
            read_bytes += record.size_bytes
            if record.type not in visible:
                continue
            events.append(record.data)
            events_bytes += record.size_bytes
            done = record.type in TERMINAL_TYPES
            if done or len(events) == limit or events_bytes > _MAX_PAGE_BYTES:
                return EventPage(events, cursor, done)
        size.learn(len(records), read_bytes)
    return EventPage(events, cursor, done=False)


async def wait_for_events(
    hub: Hub,
    execution_id: str,
    *,
    after: int,
    limit: int,
    visible: frozenset[str],
    wait_seconds: float,
    owner: str,
) -> EventPage:
    """Return what :func:`read_events` returns; if that is nothing, wait for the next visible event.

    Who waits is a follower like any other: it counts as a stream of *owner* meanwhile.

    Returns:
        An empty page when *wait_seconds* have passed, the server is shutting down, or the owner may
        not read any more.

    Raises:
        HubClosed: the server is shutting down.
        TooManyStreams: the owner, or the server, has as many streams open as it may.

    And what :func:`read_events` raises. Cancelling it leaves nothing behind.
    """
    news = _News(visible, owner)
    hub.admission.enter(owner)
    try:
        return await _wait_for(news, hub, execution_id, after, limit, wait_seconds)
    finally:
        hub.admission.leave(owner)


async def _wait_for(
    news: _News, hub: Hub, execution_id: str, after: int, limit: int, wait_seconds: float
) -> EventPage:
    visible = news.visible
    # Followed before the log is read: a commit between the two would not be heard of otherwise.
    topic = hub.follow(execution_id)
    topic.join(news)
    try:
        page = await read_events(hub, execution_id, after=after, limit=limit, visible=visible)
        if page.events:
            return page
        try:
            await asyncio.wait_for(news.heard.wait(), wait_seconds)
        except TimeoutError:
            return page
        if news.ended:
            return page
        return await read_events(
            hub, execution_id, after=page.next_cursor, limit=limit, visible=visible
        )
    finally:
        topic.leave(news)
        topic.release()


class _News:
    """A member that only wants to know that there is something."""

    readers = 1
    behind = 0
    lag = 0

    def __init__(self, visible: frozenset[str], owner: str) -> None:
        self.heard = asyncio.Event()
        self.ended = False
        self.visible = visible
        self._owner = owner

    def offer(self, batch: Batch) -> None:
        if any(record.type in self.visible for record in batch.records):
            self.heard.set()

    def end(self, owners: Collection[str] | None = None) -> None:
        if owners is None or self._owner in owners:
            self.ended = True
            self.heard.set()
