"""The time of an execution, which goes on evenly whatever is done to the wall clock.

See ``docs/decisions/0012-an-executions-clock.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_BOOT_TIME = getattr(time, "CLOCK_BOOTTIME", None)


def utc_now() -> datetime:
    """Return the time of the wall clock, aware and in UTC."""
    return datetime.now(UTC)


def steady_seconds() -> float:
    """Return the seconds since some moment: nobody sets this clock.

    On Linux the time that the machine was asleep counts (``CLOCK_BOOTTIME``).
    """
    return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)


def whole_milliseconds(moment: datetime) -> datetime:
    """Return *moment* as events and rows store it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class ExecutionClock:
    """Says what time it is for one execution, for as long as one server runs it.

    That is the wall clock's time when the server took it up, and from then on what has passed by a
    clock that nobody sets. So durations are right, limits and delays are neither cut short nor
    drawn out, and no timestamp of a log is before the one in front of it.

    :param now: the wall clock: aware, UTC.
    :param steady: seconds by a clock that nobody sets.
    :param not_before: the last time that the execution's log or row tells of.
    """

    def __init__(
        self, now: Callable[[], datetime], steady: Callable[[], float], *, not_before: datetime
    ) -> None:
        self._began_at = max(now(), not_before)
        self._steady = steady
        self._began = steady()

    def __call__(self) -> datetime:
        """Return the time: aware, UTC, in whole milliseconds."""
        return whole_milliseconds(self._began_at + timedelta(seconds=self._steady() - self._began))
