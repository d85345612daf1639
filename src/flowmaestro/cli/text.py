"""Text from elsewhere, made fit for a terminal."""

from __future__ import annotations

import re

# Control characters, which a terminal obeys; line and paragraph separators; the marks that turn
# the direction of what follows; and surrogates, which cannot be written.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return *text* with what a terminal would obey as ``\\uXXXX``, so that it only shows."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def duration_text(duration_ms: float) -> str:
    """Return a length of time as people read it: ``120ms``, ``4.2s``, ``3m05s``, ``2h07m``."""
    if duration_ms < 1000:
        return f"{max(0, int(duration_ms))}ms"
    seconds = duration_ms / 1000
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"
