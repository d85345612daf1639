"""Cursors: the number of the last event a reader has, as it sends it back to resume."""

from __future__ import annotations

from typing import Final

MAX_CURSOR: Final = 2**53 - 1
"""The largest cursor: the largest integer that every language's JSON numbers hold exactly."""

_MAX_DIGITS: Final = len(str(MAX_CURSOR))


class InvalidCursor(ValueError):
    """A text that is no cursor; ``text`` is what was sent (its first 40 characters)."""

    def __init__(self, text: str) -> None:
        self.text = text[:40]
        super().__init__(
            f"{self.text!r} is no cursor: send the number of the last event received, "
            f"in digits, 0 to {MAX_CURSOR}"
        )


def parse_cursor(text: str) -> int:
    """Return the number that *text* (a ``Last-Event-ID`` header, a query parameter) stands for.

    Only ASCII digits are allowed, at most 16 of them; leading zeros change nothing. 0 is the place
    before the first event.

    Raises:
        InvalidCursor: for any other text, the empty one included.
    """
    # isdigit() alone is true of digits of every script and of superscripts.
    if len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        raise InvalidCursor(text)
    number = int(text)
    if number > MAX_CURSOR:
        raise InvalidCursor(text)
    return number
