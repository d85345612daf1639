"""Rate limits to the second, whatever is done to the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowmaestro.api.errors import ApiError
from flowmaestro.api.rate_limits import RateLimiter
from flowmaestro.storage import ApiKey

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.wall = MOMENT
        self.seconds = 1_000.0

    def let_pass(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds


def limited(key_id: str = "key_1", *, per_minute: int = 0, per_day: int = 0) -> ApiKey:
    return ApiKey(
        id=key_id,
        name="test",
        workspace="default",
        environment="test",
        scopes=frozenset(),
        prefix="fm_test_",
        created_at=MOMENT,
        expires_at=None,
        revoked_at=None,
        rate_limit_per_minute=per_minute,
        rate_limit_per_day=per_day,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(lambda: clock.wall, lambda: clock.seconds)


def refused(limiter: RateLimiter, key: ApiKey) -> ApiError:
    with pytest.raises(ApiError) as caught:
        limiter.take(key)
    assert caught.value.code == "rate_limit_exceeded"
    return caught.value


@pytest.mark.parametrize(
    ("key", "seconds"),
    [(limited(per_minute=1), 60), (limited(per_day=1), 86_400)],
    ids=["minute", "day"],
)
def test_a_window_ends_to_the_second(
    limiter: RateLimiter, clock: Clock, key: ApiKey, seconds: int
) -> None:
    headers = limiter.take(key)
    assert headers["X-RateLimit-Reset"] == str(int(MOMENT.timestamp()) + seconds)
    clock.let_pass(seconds - 1)
    error = refused(limiter, key)
    assert error.headers["Retry-After"] == "1"
    assert error.headers["X-RateLimit-Reset"] == headers["X-RateLimit-Reset"]
    clock.let_pass(1)
    limiter.take(key)


@pytest.mark.parametrize("days", [-1, 1])
def test_setting_the_wall_clock_neither_locks_out_nor_lets_in(
    limiter: RateLimiter, clock: Clock, days: int
) -> None:
    key = limited(per_minute=1, per_day=3)
    limiter.take(key)
    clock.wall += timedelta(days=days)
    error = refused(limiter, key)
    assert error.headers["Retry-After"] == "60"
    assert error.headers["X-RateLimit-Reset"] == str(int(clock.wall.timestamp()) + 60)
    clock.let_pass(60)
    assert limiter.take(key)["X-RateLimit-Remaining-Day"] == "1"


def test_what_the_minute_refuses_does_not_count_for_the_day(
    limiter: RateLimiter, clock: Clock
) -> None:
    key = limited(per_minute=1, per_day=2)
    limiter.take(key)
    for _ in range(5):
        assert refused(limiter, key).details["window"] == "minute"
    clock.let_pass(60)
    limiter.take(key)
    clock.let_pass(60)
    assert refused(limiter, key).details["window"] == "day"


def test_windows_that_are_over_are_forgotten(limiter: RateLimiter, clock: Clock) -> None:
    for number in range(10_000):
        limiter.take(limited(f"key_{number}", per_minute=1))
        clock.let_pass(1)
    assert len(limiter._windows) <= 1_100
    refused(limiter, limited("key_9999", per_minute=1))
