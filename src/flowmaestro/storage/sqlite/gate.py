"""The bound on what waits to be written."""

from __future__ import annotations

import asyncio
from collections import deque

from flowmaestro.storage.errors import StorageClosed


class Gate:
    """Counts the writes on their way and makes more wait outside, first come first served.

    The one that crosses a bound is let in, so that a write of any size gets through.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self.max_count = max_count
        self.max_bytes = max_bytes
        self.count = 0
        """How many are inside."""
        self.bytes = 0
        """How large these are."""
        self._waiters: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait outside."""
        return len(self._waiters)

    def try_enter(self, size: int) -> bool:
        """Enter with *size* bytes if there is room and nobody waits; else return ``False``."""
        if self._waiters or self.count >= self.max_count or self.bytes >= self.max_bytes:
            return False
        self.count += 1
        self.bytes += size
        return True

    async def enter(self, size: int) -> None:
        """Wait for one's turn and enter with *size* bytes.

        Raises:
            StorageClosed: the gate was closed meanwhile.

        Cancelling it leaves no trace.
        """
        if self.try_enter(size):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((turn, size))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._admit()  # who stood behind may be first now
            elif turn.exception() is None:
                self.leave(1, size)  # admitted and cancelled in the same breath
            raise

    def leave(self, count: int, size: int) -> None:
        """Take *count* writes of *size* bytes in all out again."""
        self.count -= count
        self.bytes -= size
        if self._waiters:
            self._admit()

    def close(self) -> None:
        """Turn away everyone who waits."""
        while self._waiters:
            turn, _ = self._waiters.popleft()
            if not turn.done():
                turn.set_exception(StorageClosed())

    def _admit(self) -> None:
        while self._waiters and self.count < self.max_count and self.bytes < self.max_bytes:
            turn, size = self._waiters.popleft()
            if not turn.done():
                self.count += 1
                self.bytes += size
                turn.set_result(None)
