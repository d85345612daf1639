"""Clocks that go as the real ones do, until a test moves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flowmaestro.engine import steady_seconds


class MovedClock:
    """A wall clock and a steady one."""

    def __init__(self) -> None:
        self._set_by = timedelta()
        self._passed = timedelta()
        self._stopped_at: datetime | None = None

    def now(self) -> datetime:
        """The wall clock."""
        if self._stopped_at is not None:
            return self._stopped_at
        return datetime.now(UTC) + self._set_by + self._passed

    def steady(self) -> float:
        """Seconds by the clock that nobody sets."""
        return steady_seconds() + self._passed.total_seconds()

    def let_pass(self, **time: float) -> None:
        """Let so much time pass, as ``timedelta`` takes it: both clocks tell of it."""
        self._passed += timedelta(**time)

    def set_by(self, **time: float) -> None:
        """Set the wall clock forward, or back, by so much."""
        self._set_by += timedelta(**time)

    def stop_at(self, moment: datetime) -> None:
        """Set the wall clock to *moment* and have it stand still."""
        self._stopped_at = moment
