"""Identifiers that sort by creation time: a prefix and a ULID.

The format is that of https://github.com/ulid/spec in lower case: 48 bits of Unix milliseconds and
80 random bits, in 26 characters of Crockford's base 32.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80
_LENGTH = 26


_BUFFER_BYTES = 4_000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _RandomBytes:
    """The system's random bytes, many at a time: for each call the interpreter is given away, and a
    busy server waits long to get it back. Not to be carried over a fork."""

    def __init__(self) -> None:
        self._left = b""

    def integer(self, bits: int) -> int:
        """Return an integer of so many random *bits*, a multiple of 8."""
        count = bits // 8
        if len(self._left) < count:
            self._left = secrets.token_bytes(max(count, _BUFFER_BYTES))
        taken, self._left = self._left[:count], self._left[count:]
        return int.from_bytes(taken, "big")


class IdGenerator:
    """Makes ids, each greater than the one before, whatever the clock does.

    Args:
        clock_ms: Unix time in milliseconds.
        random_bits: Returns an integer of so many random bits; by default the system's.

    It may be used from several threads.
    """

    def __init__(
        self,
        clock_ms: Callable[[], int] = _now_ms,
        random_bits: Callable[[int], int] | None = None,
    ) -> None:
        self._clock_ms = clock_ms
        self._random_bits = random_bits or _RandomBytes().integer
        self._lock = threading.Lock()
        self._last = 0

    def new_id(self, prefix: str) -> str:
        """Return ``PREFIX_`` and 26 characters, such as ``exec_01jz3k…``."""
        with self._lock:
            now = self._clock_ms()
            if now > self._last >> _RANDOM_BITS:
                self._last = now << _RANDOM_BITS | self._random_bits(_RANDOM_BITS)
            else:  # the same millisecond, or a clock that went back
                self._last += 1
            value = self._last
        characters = [""] * _LENGTH
        for place in range(_LENGTH - 1, -1, -1):
            characters[place] = _ALPHABET[value & 31]
            value >>= 5
        return f"{prefix}_{''.join(characters)}"
