"""How many requests a key may make, per minute and per day.

Windows are fixed and start with their first request. The counts are this process's own: with
several replicas each one grants the limit (the ``limits`` library has shared storages for that).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from flowmaestro.api.errors import ApiError
from flowmaestro.storage import ApiKey

if (
    TYPE_CHECKING
):  # imported by the first key with a limit: it is slow, and the start is not its time
    from limits import RateLimitItem
    from limits.aio.strategies import FixedWindowRateLimiter


@dataclass(frozen=True, slots=True)
class _Window:
    item: RateLimitItem
    name: str
    allowed: bool
    remaining: int
    reset_at: float  # seconds since the epoch


class RateLimiter:
    """Counts the requests of each key; one open stream is one request."""

    @cached_property
    def _limiter(self) -> FixedWindowRateLimiter:
        from limits.aio.storage import MemoryStorage
        from limits.aio.strategies import FixedWindowRateLimiter

        return FixedWindowRateLimiter(MemoryStorage())

    async def take(self, key: ApiKey) -> dict[str, str]:
        """Count one request of *key* and return the ``X-RateLimit-*`` headers of its answer.

        ``-Reset`` is the second since the epoch at which the minute's window ends (the day's for a
        key with a daily limit only). A key without limits gets no headers.

        Raises:
            ApiError: ``rate_limit_exceeded``, with ``Retry-After`` and the same headers. A request
                that the minute's limit refuses does not count for the day.
        """
        if not (key.rate_limit_per_minute or key.rate_limit_per_day):
            return {}
        from limits import RateLimitItemPerDay, RateLimitItemPerMinute

        windows: list[_Window] = []
        if key.rate_limit_per_minute:
            per_minute = RateLimitItemPerMinute(key.rate_limit_per_minute)
            windows.append(await self._hit(per_minute, "minute", key.id))
        if key.rate_limit_per_day and all(window.allowed for window in windows):
            per_day = RateLimitItemPerDay(key.rate_limit_per_day)
            windows.append(await self._hit(per_day, "day", key.id))
        headers = _headers(windows)
        for window in windows:
            if not window.allowed:
                raise _exceeded(window, headers)
        return headers

    async def _hit(self, item: RateLimitItem, name: str, key_id: str) -> _Window:
        allowed = await self._limiter.hit(item, key_id)
        stats = await self._limiter.get_window_stats(item, key_id)
        return _Window(item, name, allowed, stats.remaining, stats.reset_time)


def _headers(windows: list[_Window]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for window in windows:
        suffix = "-Day" if window.name == "day" else ""
        headers[f"X-RateLimit-Limit{suffix}"] = str(window.item.amount)
        headers[f"X-RateLimit-Remaining{suffix}"] = str(window.remaining)
        headers.setdefault("X-RateLimit-Reset", str(math.ceil(window.reset_at)))
    return headers


def _exceeded(window: _Window, headers: dict[str, str]) -> ApiError:
    retry_after_seconds = max(1, math.ceil(window.reset_at - time.time()))
    return ApiError(
        "rate_limit_exceeded",
        f"This key may make {window.item.amount} requests a {window.name}; "
        f"try again in {retry_after_seconds} s.",
        {
            "limit": window.item.amount,
            "window": window.name,
            "retry_after_seconds": retry_after_seconds,
        },
        headers={**headers, "Retry-After": str(retry_after_seconds)},
    )
