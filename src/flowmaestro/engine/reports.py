"""What a running node sends to its execution's inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from flowmaestro.events import LogLevel

from .execute_node import Outcome
from .statistics import EngineStatistics

MAX_PENDING_MESSAGES = 1_000
MAX_MESSAGE_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt ended."""

    node_id: str
    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """A node says how far it is; *recorded* is answered when that is durable."""

    node_id: str
    attempt: int
    percent: float
    recorded: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A node has something to say."""

    node_id: str
    attempt: int
    level: LogLevel
    message: str
    taken: Callable[[], None]
    """Called when the message has left the inbox."""


Message = Ended | ProgressReport | LogMessage


class NodeReporter:
    """Carries one attempt's progress and messages to the inbox.

    ``progress`` waits until the report is durable, so it needs no bound. ``log`` does not wait:
    over :data:`MAX_PENDING_MESSAGES` unrecorded messages, further ones are dropped and counted, and
    the count is recorded as a warning.
    """

    def __init__(
        self,
        node_id: str,
        attempt: int,
        post: Callable[[Message], None],
        statistics: EngineStatistics,
    ) -> None:
        self._node_id = node_id
        self._attempt = attempt
        self._post = post
        self._statistics = statistics
        self._pending = 0
        self._dropped = 0

    async def progress(self, percent: float) -> None:
        """Record *percent* (0 to 100) and return when it is durable."""
        recorded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._post(ProgressReport(self._node_id, self._attempt, percent, recorded))
        await recorded

    def log(self, level: LogLevel, message: str) -> None:
        """Record a message; returns at once."""
        if self._pending >= MAX_PENDING_MESSAGES:
            self._dropped += 1
            self._statistics.dropped_messages += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._send("warning", f"{dropped} messages were dropped: they came too fast")
        if len(message) > MAX_MESSAGE_CHARACTERS:
            message = message[:MAX_MESSAGE_CHARACTERS] + "…"
        self._send(level, message)

    def _send(self, level: LogLevel, message: str) -> None:
        self._pending += 1
        self._post(LogMessage(self._node_id, self._attempt, level, message, self._taken))

    def _taken(self) -> None:
        self._pending -= 1
