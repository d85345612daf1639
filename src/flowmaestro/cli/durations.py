"""Lengths of time as they are written on a command line."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_duration(text: str) -> timedelta:
    """Return the length of time that *text* (``45s``, ``30m``, ``12h``, ``30d``, ``2w``) means.

    Raises:
        ValueError: it is none of these, 0, or longer than a hundred years.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no length of time; write 30d, 12h, 30m or 45s")
    duration = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if not timedelta(0) < duration <= timedelta(days=36_525):
        raise ValueError(f"{text!r} must be more than nothing and at most a hundred years")
    return duration
