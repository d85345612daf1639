"""How long to wait before trying again.

The wait before try ``n`` (0 is the first repeat) is drawn evenly from the upper half of
``min(maximum, base * 2 ** n)``. With the defaults (0.5 s, 30 s) the waits are at most 0.5, 1, 2, 4,
8, 16, 30, 30, … seconds and at least half of that: many clients that lost the same server do not
come back at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

Random = Callable[[], float]
"""Returns a number from 0 to below 1."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter; both in seconds."""

    base_seconds: float = 0.5
    max_seconds: float = 30.0

    def delay_seconds(self, repeat: int, random: Random) -> float:
        """Return how long to wait before the *repeat*-th repeat, counted from 0."""
        # 2 ** 1100 is no float any more, and no base needs this many doublings to reach the top.
        ceiling = min(self.max_seconds, self.base_seconds * 2.0 ** min(repeat, 64))
        return ceiling * (0.5 + random() / 2)


def parse_retry_after(value: str | None, *, now_seconds: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (RFC 9110 §10.2.3).

    Args:
        value: the header: whole seconds or an HTTP date; ``None`` if there was none.
        now_seconds: the present moment, in seconds since 1970.

    Returns:
        At least 0; ``None`` for no header, or one that is neither.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, moment.timestamp() - now_seconds)
