"""When new executions are refused: how many are on their way, for how long, and since when."""

from __future__ import annotations

import contextlib
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmaestro.engine import EngineOverloaded
from flowmaestro.engine.starts import MIN_PLACES, Place, Starts


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, *, max_places: int = 100, max_delay_seconds: float | None = 1.0) -> Starts:
    return Starts(max_places, max_delay_seconds, clock=clock, spread=lambda low, high: high)


def enters(starts: Starts) -> bool:
    """Return whether one more may enter, which it then does not."""
    try:
        starts.check()
    except EngineOverloaded:
        return False
    return True


def stand(starts: Starts, clock: Clock, delay_seconds: float = 0.25) -> deque[Place]:
    """Keep a queue whose oldest has waited so long, until somebody is refused for it."""
    places: deque[Place] = deque()
    while enters(starts):
        places.append(starts.enter())
        clock.forward(0.05)
        if starts.delay_seconds > delay_seconds:
            starts.leave(places.popleft())
    return places


def empty(starts: Starts, places: deque[Place]) -> None:
    while places:
        starts.leave(places.popleft())


def test_as_many_as_there_are_places_are_on_their_way_at_once(clock: Clock) -> None:
    starts = made(clock, max_places=3)
    places = [starts.enter() for _ in range(3)]
    assert not enters(starts)
    starts.leave(places[0])
    assert enters(starts)
    assert starts.refused == 1
    assert len(starts) == 2


def test_a_place_is_given_up_once(clock: Clock) -> None:
    starts = made(clock, max_places=2)
    place = starts.enter()
    starts.enter()
    starts.leave(place)
    starts.leave(place)
    assert len(starts) == 1


def test_a_burst_may_take_as_long_as_is_allowed_and_no_longer(clock: Clock) -> None:
    starts = made(clock)
    oldest = starts.enter()
    clock.forward(1.0)
    assert enters(starts)
    clock.forward(0.01)
    assert not enters(starts)
    starts.leave(oldest)
    assert enters(starts)


def test_a_queue_that_stands_is_too_long_at_a_tenth_of_that(clock: Clock) -> None:
    starts = made(clock)
    begun = clock.now
    places = stand(starts, clock)
    assert 1.0 <= clock.now - begun <= 1.5
    assert starts.delay_seconds <= 0.5
    empty(starts, places)
    assert enters(starts)


def test_a_queue_that_was_short_in_between_does_not_stand(clock: Clock) -> None:
    starts = made(clock)
    for _ in range(10):
        place = starts.enter()
        clock.forward(0.5)
        starts.leave(place)
    assert enters(starts)


def test_while_the_queue_stands_its_length_is_what_can_be_done_in_time(clock: Clock) -> None:
    starts = made(clock, max_places=1_000)
    places = stand(starts, clock)
    for _ in range(600):
        while enters(starts):  # more come than can be done
            places.append(starts.enter())
        clock.forward(1 / 300)
        starts.leave(places.popleft())
    assert 25 <= len(places) <= 35  # of 300 a second, those of a tenth of one


def test_a_slow_server_still_lets_a_few_in_at_once(clock: Clock) -> None:
    starts = made(clock)
    empty(starts, stand(starts, clock))
    clock.forward(0.9)
    places = [starts.enter() for _ in range(MIN_PLACES)]
    assert not enters(starts)
    starts.leave(places[0])
    assert enters(starts)


def test_all_is_as_before_when_nobody_was_refused_for_a_second(clock: Clock) -> None:
    starts = made(clock)
    empty(starts, stand(starts, clock))
    place = starts.enter()
    clock.forward(0.5)
    assert not enters(starts)  # it is more than a tenth
    starts.leave(place)
    clock.forward(1.01)
    starts.enter()
    clock.forward(0.9)
    assert enters(starts)


def test_without_a_bound_on_time_only_places_count(clock: Clock) -> None:
    starts = made(clock, max_places=2, max_delay_seconds=None)
    starts.enter()
    clock.forward(3_600)
    starts.enter()
    assert not enters(starts)


def test_the_more_were_refused_the_later_they_are_to_come_again(clock: Clock) -> None:
    starts = made(clock, max_places=1)
    starts.leave(starts.enter())
    starts.enter()
    waits = []
    for _ in range(100):
        with pytest.raises(EngineOverloaded) as refused:
            starts.check()
        waits.append(refused.value.retry_after_seconds)
    assert waits[0] == 3  # one began, one was refused: both again within two seconds
    assert waits == sorted(waits)
    assert waits[-1] == 30


@settings(max_examples=40, deadline=None)
@given(
    per_second=st.floats(20, 1_000),
    times=st.floats(1.5, 8),
    long=st.booleans(),
)
def test_an_overloaded_server_stays_busy_and_lets_nobody_wait_long(
    per_second: float, times: float, long: bool
) -> None:
    """A server that does one after the other, asked for more than it can do, simulated."""
    clock = Clock()
    starts = Starts(500, 1.0, clock=clock)
    queue: deque[Place] = deque()
    done_at = clock.now + 1 / per_second
    waits: list[tuple[float, float]] = []
    busy = 0
    step = 1 / (per_second * times)
    begun = clock.now
    seconds = 20 if long else 8
    while clock.now < begun + seconds:
        clock.forward(step)
        while queue and done_at <= clock.now:
            place = queue.popleft()
            waits.append((clock.now, clock.now - place.entered_at))
            starts.leave(place)
            busy += 1
            done_at += 1 / per_second
        if not queue:
            done_at = max(done_at, clock.now + 1 / per_second)
        with contextlib.suppress(EngineOverloaded):
            queue.append(starts.enter())
    settled = [wait for at, wait in waits if at > begun + 5]
    fair = max(0.1, MIN_PLACES / per_second)
    assert max(settled) <= 2 * fair + 2 / per_second
    assert busy >= 0.85 * per_second * seconds
    assert max(wait for _, wait in waits) <= 1.0 + 500 / per_second
