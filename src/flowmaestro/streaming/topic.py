"""One execution that somebody follows: where its log stands, and who hears of its commits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from flowmaestro.events import Status
from flowmaestro.storage import EventLog, LogHead, LogRecord
from flowmaestro.streaming.views import Batch

_logger = logging.getLogger(__name__)

_STATUS_AFTER: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "execution:started": "running",
        "execution:completed": "completed",
        "execution:failed": "failed",
        "execution:cancelled": "cancelled",
    }
)


class Member(Protocol):
    """Who hears of an execution's commits: one reader, or something that stands for many."""

    @property
    def readers(self) -> int:
        """How many readers it stands for."""

    @property
    def behind(self) -> int:
        """How many of these are not level just now."""

    @property
    def lag(self) -> int:
        """How many events the one of these that is farthest behind has yet to be given."""

    def offer(self, batch: Batch) -> None:
        """Take a commit. It runs while the commit's writer waits, so it must not block."""

    def end(self, owners: Collection[str] | None = None) -> None:
        """End the readers of these *owners*, or all: on a whole frame, and soon."""


class Topic:
    """An execution's log as its followers know it. Made by :meth:`Hub.follow`.

    Whoever got it from there holds it until :meth:`release`. Commits are heard from that moment
    on, so what :meth:`head` then returns, and what is heard, leave no gap between them.
    """

    __slots__ = (
        "_dropped",
        "_holders",
        "_known",
        "_learning",
        "_log",
        "_members",
        "_status",
        "_trimmed_through",
        "_workspace",
        "ended",
        "execution_id",
        "heard",
        "newest",
    )

    def __init__(self, execution_id: str, log: EventLog, dropped: Callable[[Topic], None]) -> None:
        self.execution_id = execution_id
        self.newest = 0
        """The newest number of which commits have told, or which was read before they did."""
        self.heard = 0
        """The newest number of which a commit has told."""
        self.ended = False
        """Whether the terminal event was heard of, or read."""
        self._log = log
        self._dropped = dropped
        self._members: set[Member] = set()
        self._holders = 0
        self._known = False
        self._status: Status | None = None
        self._trimmed_through = 0
        self._workspace = ""
        self._learning: asyncio.Task[LogHead] | None = None

    @property
    def members(self) -> Collection[Member]:
        return self._members

    @property
    def known(self) -> bool:
        """Whether ``newest`` says where the log stands: it was read, or a commit has told."""
        return self._known or self.heard > 0

    def hold(self) -> Topic:
        """Keep it until :meth:`release` is called once more."""
        self._holders += 1
        return self

    def release(self) -> None:
        """Undo :meth:`hold`, or having been given it. With the last, commits are heard no more."""
        self._holders -= 1
        if self._holders == 0:
            self._dropped(self)

    def join(self, member: Member) -> None:
        """Offer *member* every commit from now on; it holds the topic."""
        self._members.add(member)
        self.hold()

    def leave(self, member: Member) -> None:
        """Undo :meth:`join`. Doing it again changes nothing."""
        if member in self._members:
            self._members.remove(member)
            self.release()

    async def head(self, *, at_least: int = 0) -> LogHead:
        """Return where the log stands.

        It is read once and then known from the commits. It is read again when *at_least* is past
        what is known (a reader may have seen an event on another way before the hub was told of
        it), and when the log has ended: only ended logs are trimmed.

        Raises:
            UnknownExecution, StorageUnavailable: it could not be read.

        Cancelling it disturbs nobody who waits for the same.
        """
        if not self._known:
            head = await self._learn()
            if head.ended and head.last_number >= at_least:
                return head
        # Commits may have been heard of while it was read.
        if self._status is None or self.ended or at_least > self.newest:
            return await self._log.head(self.execution_id)
        return LogHead(
            self.execution_id,
            self.newest,
            self._trimmed_through,
            self._status,
            self.ended,
            self._workspace,
        )

    def publish(self, records: list[LogRecord]) -> None:
        """Take note of a commit, and offer it to the members."""
        batch = Batch(records)
        self.newest = max(self.newest, batch.last)
        self.heard = max(self.heard, batch.last)
        self.ended = self.ended or batch.ended
        for record in records:
            self._status = _STATUS_AFTER.get(record.type, self._status)
        for member in tuple(self._members):
            try:
                member.offer(batch)
            except Exception:
                # Whatever it is, the other members must not miss this.
                _logger.exception("a follower failed", extra={"execution_id": self.execution_id})

    async def _learn(self) -> LogHead:
        # Whoever asks meanwhile waits for the same answer.
        if self._learning is None:
            self._learning = asyncio.ensure_future(self._learn_head())
        return await asyncio.shield(self._learning)

    async def _learn_head(self) -> LogHead:
        try:
            head = await self._log.head(self.execution_id)
        finally:
            self._learning = None
        # Here and not in a callback: whoever finds this task done must find it learnt too.
        if head.last_number >= self.newest or self._status is None:
            self._status = head.status
        self.newest = max(self.newest, head.last_number)
        self.ended = self.ended or head.ended
        self._trimmed_through = head.trimmed_through
        self._workspace = head.workspace
        self._known = True
        return head
