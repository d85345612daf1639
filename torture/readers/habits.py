"""How a reader behaves."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Habits:
    """How a reader behaves, as bounds of what is drawn for each connection."""

    name: str
    comes_after_seconds: float = 0.0
    """At most so long after the execution was begun."""
    leaves_after_frames: int | None = None
    """It hangs up after at most so many events, and comes back; ``None``: it stays."""
    returns_after_seconds: float = 0.05
    """At most so long after it was cut off, or left."""
    bytes_at_a_time: int = 65_536
    pause_seconds: float = 0.0
    """Between two reads."""
    receive_buffer_bytes: int | None = None
    """Of its socket, and of its own; ``None``: the system's."""

    def frames(self, random: Random) -> int | None:
        """Return after how many events to leave this time. None at all is possible."""
        return random.randint(0, most) if (most := self.leaves_after_frames) is not None else None


HABITS = (
    Habits("patient"),
    Habits("late", comes_after_seconds=2.0),
    Habits("restless", leaves_after_frames=4),
    Habits("slow", bytes_at_a_time=1024, pause_seconds=0.02, receive_buffer_bytes=2048),
)
