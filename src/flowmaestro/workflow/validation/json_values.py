"""Checks that a value is JSON, within bounds, before anything else looks at it."""

from __future__ import annotations

from math import isfinite
from typing import Any

from flowmaestro.workflow.limits import MAX_INTEGER, Limits
from flowmaestro.workflow.problems import Path, Problems, shorten


def check_json(value: Any, limits: Limits, problems: Problems) -> None:
    """Add a problem for each thing in *value* that JSON or *limits* do not allow.

    A value that passes may be walked recursively. What is too deep or too large ends the check: a
    value may hold the same list many times over, or itself.
    """
    pending: list[tuple[Path, Any]] = [((), value)]
    seen, characters = 0, 0
    while pending:
        path, item = pending.pop()
        seen += 1
        if len(path) > limits.max_depth:
            message = f"Lists and objects nest deeper than {limits.max_depth} levels."
            problems.add(path[:3], "limit", message)
            return
        if isinstance(item, str):
            characters += len(item)
            _check_text(path, item, problems)
        elif type(item) is dict:
            characters += sum(len(key) for key in item if isinstance(key, str))
            if seen + len(pending) + len(item) <= limits.max_values:
                pending.extend(_fields(path, item, problems))
            else:
                seen += len(item)
        elif type(item) is list:
            if seen + len(pending) + len(item) <= limits.max_values:
                pending.extend(((*path, index), child) for index, child in enumerate(item))
            else:
                seen += len(item)
        else:
            _check_scalar(path, item, problems)
        if seen + len(pending) > limits.max_values:
            problems.add((), "limit", f"There are more than {limits.max_values:,} values.")
            return
        if characters > limits.max_bytes:
            problems.add((), "limit", f"There are more than {limits.max_bytes:,} characters.")
            return


def _fields(path: Path, item: dict[Any, Any], problems: Problems) -> list[tuple[Path, Any]]:
    fields: list[tuple[Path, Any]] = []
    for key, child in item.items():
        if isinstance(key, str):
            _check_text(path, key, problems)
            fields.append(((*path, key), child))
        else:
            problems.add(
                path, "invalid_type", f"A field is named by text, not by {type(key).__name__}."
            )
    return fields


def _check_text(path: Path, text: str, problems: Problems) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = shorten(text).encode("ascii", "backslashreplace").decode()
        problems.add(
            tuple(step if isinstance(step, int) or _is_clean(step) else "?" for step in path),
            "invalid_value",
            f"The text '{shown}' holds half a surrogate pair, which is no character.",
        )


def _is_clean(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _check_scalar(path: Path, item: Any, problems: Problems) -> None:
    kind = type(item)
    if kind is float:
        if not isfinite(item):
            problems.add(path, "invalid_value", "The number is not finite, which JSON cannot hold.")
    elif kind is int:
        if not -MAX_INTEGER <= item <= MAX_INTEGER:
            problems.add(path, "limit", "The integer has more than 300 digits.")
    elif item is not None and kind is not bool:
        problems.add(path, "invalid_type", f"A value of the type '{kind.__name__}' is not JSON.")
