"""How many requests a key may make, per minute and per day.

Windows are fixed and start with their first request. Their length is measured with a clock that
nobody sets, so that a wall clock which is set back locks nobody out. The counts are this process's
own: with several replicas each one grants the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flowmaestro.api.errors import ApiError
from flowmaestro.storage import ApiKey

WINDOW_SECONDS = {"minute": 60, "day": 24 * 60 * 60}
_KEPT_WINDOWS = 1_000
"""So many windows may be over and still in memory."""


@dataclass(slots=True)
class _Window:
    """The requests of one key since some moment."""

    name: str
    limit: int
    ends: float
    """In the seconds of the steady clock."""
    taken: int = 0

    @property
    def exceeded(self) -> bool:
        return self.taken > self.limit

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.taken)


class RateLimiter:
    """Counts the requests of each key; one open stream is one request.

    Args:
        clock: the wall clock, aware: for what callers are told.
        steady: seconds by a clock that nobody sets.
    """

    def __init__(self, clock: Callable[[], datetime], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._windows: dict[tuple[str, str], _Window] = {}
        self._sweep_at = _KEPT_WINDOWS

    def take(self, key: ApiKey) -> dict[str, str]:
        """Count one request of *key* and return the ``X-RateLimit-*`` headers of its answer.

        ``-Reset`` is the second since the epoch at which the minute's window ends (the day's for a
        key with a daily limit only). A key without limits gets no headers.

        Raises:
            ApiError: ``rate_limit_exceeded``, with ``Retry-After`` and the same headers. A request
                that the minute's limit refuses does not count for the day.
        """
        limits = {"minute": key.rate_limit_per_minute, "day": key.rate_limit_per_day}
        now = self._steady()
        windows: list[_Window] = []
        for name, limit in limits.items():
            if limit:
                windows.append(self._count(key.id, name, limit, now))
                if windows[-1].exceeded:
                    break
        if not windows:
            return {}
        headers = self._headers(windows, now)
        if windows[-1].exceeded:
            raise _refused(windows[-1], now, headers)
        return headers

    def _count(self, key_id: str, name: str, limit: int, now: float) -> _Window:
        window = self._windows.get((key_id, name))
        if window is None or window.ends <= now:
            if len(self._windows) >= self._sweep_at:
                self._forget_ended(now)
            window = _Window(name, limit, ends=now + WINDOW_SECONDS[name])
            self._windows[key_id, name] = window
        window.taken += 1
        return window

    def _forget_ended(self, now: float) -> None:
        self._windows = {k: window for k, window in self._windows.items() if window.ends > now}
        self._sweep_at = len(self._windows) + _KEPT_WINDOWS

    def _headers(self, windows: list[_Window], now: float) -> dict[str, str]:
        headers: dict[str, str] = {}
        for window in windows:
            suffix = "-Day" if window.name == "day" else ""
            headers[f"X-RateLimit-Limit{suffix}"] = str(window.limit)
            headers[f"X-RateLimit-Remaining{suffix}"] = str(window.remaining)
        reset_at = self._clock().timestamp() + windows[0].ends - now
        headers["X-RateLimit-Reset"] = str(math.ceil(reset_at))
        return headers


def _refused(window: _Window, now: float, headers: dict[str, str]) -> ApiError:
    retry_after_seconds = max(1, math.ceil(window.ends - now))
    return ApiError(
        "rate_limit_exceeded",
        f"This key may make {window.limit} requests a {window.name}; "
        f"try again in {retry_after_seconds} s.",
        {
            "limit": window.limit,
            "window": window.name,
            "retry_after_seconds": retry_after_seconds,
        },
        headers={**headers, "Retry-After": str(retry_after_seconds)},
    )
