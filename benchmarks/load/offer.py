"""Executions on a schedule that waits for nobody: a server that is late gets no less to do, and
what comes late counts from when it was due."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.load.client import Client, Refused

FOLLOW_TRIES = 20


@dataclass(slots=True)
class Tally:
    """What happened in one stretch of time."""

    offered: int = 0
    accepted: int = 0
    ended: int = 0
    """Executions whose reader got every event to the last."""
    failed: int = 0
    """Executions that ended otherwise than completed."""
    refused: Counter[int] = field(default_factory=Counter)
    """By status."""
    without_retry_after: int = 0
    errors: list[str] = field(default_factory=list)
    accept_seconds: list[float] = field(default_factory=list)
    """From when an execution was due to the 202."""
    refuse_seconds: list[float] = field(default_factory=list)
    retry_after_seconds: list[float] = field(default_factory=list)
    end_seconds: list[float] = field(default_factory=list)
    """From when it was due to its terminal event at its reader."""
    delivery_seconds: list[float] = field(default_factory=list)
    """From each event's timestamp to its reader."""

    def add(self, other: Tally) -> None:
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, int):
                setattr(self, name, mine + theirs)
            elif isinstance(mine, Counter):
                mine.update(theirs)
            else:
                mine.extend(theirs)


class Offer:
    """Offers executions of one workflow; :attr:`now` is what happened since it was last taken."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._now = Tally()

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    def take(self) -> Tally:
        """Return what happened since this was called last."""
        taken, self._now = self._now, Tally()
        return taken

    async def run(self, workflow_id: str, per_second: float, seconds: float) -> None:
        """Offer for so long, and return when the last was sent."""
        begun = time.monotonic()
        for index in range(round(per_second * seconds)):
            due = begun + index / per_second
            if (ahead := due - time.monotonic()) > 0.001:
                await asyncio.sleep(ahead)
            task = asyncio.create_task(self._one(workflow_id, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))

    async def wait(self, timeout_seconds: float) -> None:
        """Wait until everything that was offered has ended."""
        deadline = time.monotonic() + timeout_seconds
        while self._tasks and time.monotonic() < deadline:
            await asyncio.wait(self._tasks, timeout=0.2)
        for task in self._tasks:
            task.cancel()
            self._now.errors.append("an execution did not end in time")

    async def _one(self, workflow_id: str, due: float) -> None:
        self._now.offered += 1
        try:
            execution_id = await self._client.execute(workflow_id, {"inputs": {"name": "Ada"}})
        except Refused as error:
            self._now.refused[error.status] += 1
            self._now.refuse_seconds.append(time.monotonic() - due)
            if error.retry_after_seconds is None:
                self._now.without_retry_after += 1
            else:
                self._now.retry_after_seconds.append(error.retry_after_seconds)
            return
        except Exception as error:
            self._now.errors.append(f"execute: {error!r}")
            return
        self._now.accepted += 1
        self._now.accept_seconds.append(time.monotonic() - due)
        try:
            await self._follow(execution_id, due)
        except Exception as error:
            self._now.errors.append(f"follow: {error!r}")

    async def _follow(self, execution_id: str, due: float) -> None:
        for _ in range(FOLLOW_TRIES):
            try:
                followed = await self._client.follow(execution_id)
            except Refused as error:
                if error.retry_after_seconds is None:
                    raise
                await asyncio.sleep(error.retry_after_seconds + random.random())
                continue
            self._now.ended += 1
            self._now.failed += not followed.completed
            self._now.end_seconds.append(time.monotonic() - due)
            self._now.delivery_seconds += followed.delivery_seconds
            return
        self._now.errors.append("a stream was refused again and again")
