"""Counting what happens, at the cost of an addition: plain numbers that somebody reads at times.

What asks for them (the metrics of the API, say) makes of them what it likes; nothing here knows how
they are exposed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

SHORT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Bounds for what should take milliseconds."""
LONG_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)
"""Bounds for what takes as long as somebody's work does."""


class Distribution:
    """How often a value lay where: a histogram. Written by one thread only.

    Args:
        bounds: the upper bound of each bucket, ascending and inclusive; one more has no bound.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """How many values lay in each bucket, and in no other."""
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class StorageStatistics:
    """What the storage has done since it was opened. The numbers only grow but those of what waits,
    which are read off the writer's gate."""

    append_seconds: Distribution = field(default_factory=lambda: Distribution(SHORT_SECONDS))
    """From an append's place in the queue to the moment it is known to be durable."""
    commit_seconds: Distribution = field(default_factory=lambda: Distribution(SHORT_SECONDS))
    """What one transaction of the writer took, the wait for the disk included."""
    write_failures: int = 0
    """Transactions that the database refused: the disk is full, the file locked, …"""
    read_failures: int = 0
    """Reads that the database refused."""
    events_removed: int = 0
    """By retention."""
