"""The server-wide bound on running nodes."""

from __future__ import annotations

from collections.abc import Callable


class NodeSlots:
    """A counted pool whose waiters are woken in the order in which they came.

    Used from the event loop's thread only. It has no ``acquire`` that waits: whoever finds too few
    slots free goes on with its other work and is woken when one is.

    :param capacity: how many slots there are.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._waiters: dict[Callable[[], None], None] = {}

    @property
    def free(self) -> int:
        """How many slots can be taken now."""
        return self.capacity - self.used

    def take(self) -> None:
        """Take a slot; the caller has seen that one is free."""
        self.used += 1

    def release(self) -> None:
        """Give a slot back and wake the first waiter."""
        self.used -= 1
        if self._waiters:
            wake = next(iter(self._waiters))
            del self._waiters[wake]
            wake()

    def wake_when_free(self, wake: Callable[[], None]) -> None:
        """Call *wake* once when a slot is given back; asking twice is asking once."""
        self._waiters[wake] = None

    def forget(self, wake: Callable[[], None]) -> None:
        """Take *wake* off the waiters, if it is among them."""
        self._waiters.pop(wake, None)
