"""Signs of life for idle streams, with one timer for all of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from flowmaestro.streaming.lane.group import Group
from flowmaestro.streaming.lane.stream import Stream

STREAMS_A_TURN = 250
"""To how many streams a sign of life is written before the loop gets round to something else."""


class Heartbeats:
    """Knows the groups in the order they were last written to, so the next one due is the first.

    What a group's level readers were given they were all given at once, so when it is due, all of
    them are; one that joined since gets its sign a little early.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._written_at: OrderedDict[Group, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def written(self, group: Group) -> None:
        """Take note that the group's level readers were written to just now."""
        now = asyncio.get_running_loop().time()
        self._written_at[group] = now
        self._written_at.move_to_end(group)
        if self._timer is None:
            self._wake_at(now + self._seconds)

    def forget(self, group: Group) -> None:
        """Take note that the group has no readers any more."""
        del self._written_at[group]
        if not self._written_at and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake_at(self, moment: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(moment, self._beat)

    def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        room = STREAMS_A_TURN
        while self._written_at:
            group, written_at = next(iter(self._written_at.items()))
            if written_at > now - self._seconds:
                self._wake_at(written_at + self._seconds)
                return
            if room <= 0:
                self._wake_at(now)
                return
            room -= group.readers
            self.written(group)
            self._write_some(group, group.members())
        self._timer = None

    def _write_some(self, group: Group, streams: Iterator[Stream]) -> None:
        some = list(islice(streams, STREAMS_A_TURN))
        if some:
            group.heartbeat(some)
            asyncio.get_running_loop().call_soon(self._write_some, group, streams)
