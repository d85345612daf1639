"""Executions on their way from a request to their first durable event, and when there are too many.

Nobody notices a short queue, and a burst may make one; a *standing* queue makes everyone wait and
does no work for it. So the length of the way is what decides, as in CoDel (RFC 8289) and in the
form that K. Maurer gave it for servers ("Fail at Scale", ACM Queue 13 (8), 2015): the bound is
generous until the queue has stood for a while, and strict from then on until all that comes fits
again. See ``docs/decisions/0015-shedding.md``.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable

from .errors import EngineOverloaded

STRICT_SHARE = 0.1
"""Of the longest delay: what may be waited while the queue stands."""
MIN_PLACES = 8
"""However slow the server is, so many may be on their way: a single slow one must not shut it."""
RATE_SECONDS = 1.0
"""Over how long it is counted how many begin."""
MAX_RETRY_AFTER_SECONDS = 30


class Place:
    """One execution's place on the way; it is given up once."""

    __slots__ = ("entered_at",)

    def __init__(self, entered_at: float) -> None:
        self.entered_at = entered_at


class Starts:
    """Counts and times the executions that are being accepted or have yet to begin.

    Those that wait for room in memory are not among them: they are in the database, and wait for
    work to end and not for the server to get round to them.

    :param max_places: how many there may be, whatever the time.
    :param max_delay_seconds: how long the oldest may take before no more are let in; ``None``: no
        time is too long.
    :param clock: a monotonic clock, in seconds.
    :param spread: returns a number of seconds between two; it spreads those who come again.
    """

    def __init__(
        self,
        max_places: int,
        max_delay_seconds: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[int, int], int] = random.randint,
    ) -> None:
        self._max_places = max_places
        self._max_delay = math.inf if max_delay_seconds is None else max_delay_seconds
        self._strict_delay = self._max_delay * STRICT_SHARE
        self._clock = clock
        self._spread = spread
        self._places: dict[Place, None] = {}
        self._begun: deque[float] = deque()
        """When executions began, in the last :data:`RATE_SECONDS`."""
        self._refusals: deque[float] = deque(maxlen=10_000)
        """When others were refused, in the same time."""
        self._short_at = clock()
        """When the queue was last seen to be short."""
        self._begun_since_short = 0
        self._strict_at: float | None = None
        """Since when the queue counts as standing, if it does."""
        self.refused = 0
        """How many were refused, since the start."""

    def __len__(self) -> int:
        return len(self._places)

    @property
    def delay_seconds(self) -> float:
        """For how long the oldest has been on its way; 0 if there is none."""
        oldest = next(iter(self._places), None)
        return 0.0 if oldest is None else self._clock() - oldest.entered_at

    def check(self) -> None:
        """Let a further one pass, which does not take its place yet.

        :raises EngineOverloaded: there are too many, or they take too long; it was counted.
        """
        now = self._clock()
        delay = self._observe(now)
        places = len(self._places)
        if places >= self._bound(now) or delay > self._longest_delay:
            self.refused += 1
            self._refusals.append(now)
            raise EngineOverloaded(self._retry_after_seconds())

    def enter(self) -> Place:
        """Take a place, to be given up with :meth:`leave`.

        :raises EngineOverloaded: as of :meth:`check`.
        """
        self.check()
        place = Place(self._clock())
        self._places[place] = None
        return place

    def leave(self, place: Place) -> None:
        """Give a place up: the execution has begun, or will not. Doing so again changes nothing."""
        if place in self._places:
            now = self._clock()
            self._observe(now)
            del self._places[place]
            self._begun.append(now)
            self._begun_since_short += 1

    def _observe(self, now: float) -> float:
        """Note how things stand, and return how long the oldest has waited."""
        horizon = now - RATE_SECONDS
        for times in (self._begun, self._refusals):
            while times and times[0] <= horizon:
                times.popleft()
        delay = self.delay_seconds
        if self._strict_at is not None:
            if self._strict_at <= horizon and not self._refusals:  # all that came could be let in
                self._strict_at = None
                self._is_short(now)
        elif delay <= self._strict_delay:
            self._is_short(now)
        elif now - self._short_at > self._max_delay:
            self._strict_at = now
        return delay

    def _is_short(self, now: float) -> None:
        self._short_at = now
        self._begun_since_short = 0

    @property
    def _longest_delay(self) -> float:
        return self._max_delay if self._strict_at is None else self._strict_delay

    def _bound(self, now: float) -> int:
        """How many are done within the longest delay at the rate at which they begin (Little's
        law), which shows only while there is a queue. It says how long the newest will wait, when
        the oldest has not yet waited for long."""
        if self._strict_at is not None:
            rate = len(self._begun) / RATE_SECONDS
        elif (queued_seconds := now - self._short_at) > self._strict_delay:
            rate = self._begun_since_short / queued_seconds
        else:
            return self._max_places
        return round(min(self._max_places, max(MIN_PLACES, rate * self._longest_delay)))

    def _retry_after_seconds(self) -> int:
        """After how long those who were refused would fit, if they came evenly until then."""
        pressure = len(self._refusals) / max(1, len(self._begun))
        return self._spread(1, min(MAX_RETRY_AFTER_SECONDS, 1 + math.ceil(2 * pressure)))
