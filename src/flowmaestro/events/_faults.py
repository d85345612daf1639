"""Where an event holds what JSON cannot: the slow search after the fast encoder has refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowmaestro.events.models import Event

MAX_DEPTH: Final = 200
"""How deep an event may be nested: what the JSON reader takes."""

MAX_INTEGER_DIGITS: Final = 4300
"""The longest integer that is read back."""

_CONTAINERS: Final = (Mapping, list, tuple, set, frozenset)


def find_fault(event: Event) -> tuple[str, str] | None:
    """Return the path of the first value in *event* that JSON cannot hold, and what is wrong with
    it as the end of a sentence (``outputs.items[3]``, ``is NaN, …``), or ``None``."""
    fields = {name: getattr(event, name) for name in type(event).model_fields}
    return next(_faults(fields | (event.model_extra or {}), "", 1), None)


def _faults(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH and isinstance(value, _CONTAINERS):
        yield path[:200], f"is nested more than {MAX_DEPTH} levels deep (or holds itself)"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"is {value}, which is no JSON number"
    elif isinstance(value, str):
        if _has_lone_surrogate(value):
            yield path, "has a lone surrogate, which UTF-8 cannot hold"
    elif isinstance(value, int):
        if abs(value) >= 10**MAX_INTEGER_DIGITS:
            yield path, f"is an integer of more than {MAX_INTEGER_DIGITS} digits"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str) and _has_lone_surrogate(key):
                yield path, "has a key with a lone surrogate, which UTF-8 cannot hold"
                continue
            yield from _faults(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, _CONTAINERS):
        for index, item in enumerate(value):
            yield from _faults(item, f"{path}[{index}]", depth + 1)


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
