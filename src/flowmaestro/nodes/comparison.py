"""Comparing JSON values, as ``conditional`` and ``switch`` do."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from flowmaestro.nodes.config import as_text, json_type
from flowmaestro.nodes.errors import NodeError

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
_MAX_NUMBER_LENGTH = 300
_Ordering = Callable[[Any, Any], bool]


def is_true(value: Any) -> bool:
    """Whether a condition's value counts as true.

    ``false``, ``null``, 0, empty text, empty lists and objects do not, nor does the text
    ``"false"``, which is what a template that mixes text and expressions makes of ``false``.
    """
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false")
    return bool(value)


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same. ``true`` is not 1, at any depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def loosely_equal(left: Any, right: Any) -> bool:
    """Whether two values are the same, or one is text and the other a scalar written the same.

    ``5`` and ``"5"`` are: a definition's text often stands beside a value that kept its type.
    """
    if equal(left, right):
        return True
    if isinstance(left, str) == isinstance(right, str):
        return False
    text, other = (left, right) if isinstance(left, str) else (right, left)
    return not isinstance(other, dict | list) and as_text(other) == text


def compare(name: str, left: Any, right: Any) -> bool:
    """Return what the operator *name* (one of :data:`OPERATORS`) says of two values.

    :raises NodeError: ``invalid_comparison``, if they cannot be compared by it.
    """
    return OPERATORS[name](left, right)


def _ordering(symbol: str, compares: _Ordering) -> _Ordering:
    def ordered(left: Any, right: Any) -> bool:
        numbers = _number(left), _number(right)
        if None not in numbers:
            return compares(*numbers)
        if isinstance(left, str) and isinstance(right, str):
            return compares(left, right)
        raise NodeError(
            f"`{symbol}` compares two numbers or two texts, "
            f"not {json_type(left)} with {json_type(right)}",
            code="invalid_comparison",
            retryable=False,
        )

    return ordered


def _number(value: Any) -> int | float | None:
    """Return *value* as a number, also when it is a number's text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= _MAX_NUMBER_LENGTH and _NUMBER.fullmatch(value):
        try:
            return int(value)
        except ValueError:
            return float(value)
    return None


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, str):
        return not isinstance(item, dict | list) and item is not None and as_text(item) in container
    if isinstance(container, list):
        return any(loosely_equal(element, item) for element in container)
    if isinstance(container, dict):
        return isinstance(item, str) and item in container
    raise NodeError(
        f"only a text, a list or an object can contain something, not {json_type(container)}",
        code="invalid_comparison",
        retryable=False,
    )


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


OPERATORS: Mapping[str, _Ordering] = {
    "==": loosely_equal,
    "!=": lambda left, right: not loosely_equal(left, right),
    ">": _ordering(">", operator.gt),
    ">=": _ordering(">=", operator.ge),
    "<": _ordering("<", operator.lt),
    "<=": _ordering("<=", operator.le),
    "contains": _contains,
    "not_contains": lambda left, right: not _contains(left, right),
    "in": lambda left, right: _contains(right, left),
    "not_in": lambda left, right: not _contains(right, left),
    "starts_with": lambda left, right: as_text(left).startswith(as_text(right)),
    "ends_with": lambda left, right: as_text(left).endswith(as_text(right)),
    "is_empty": lambda left, right: _is_empty(left),  # noqa: ARG005
    "is_not_empty": lambda left, right: not _is_empty(left),  # noqa: ARG005
}
"""Each operator by its name. There is none for regular expressions: one from a definition could
keep the server busy without end."""

WORDS: Mapping[str, str] = {
    "equals": "==",
    "not_equals": "!=",
    "greater_than": ">",
    "greater_than_or_equal": ">=",
    "greater_or_equal": ">=",
    "less_than": "<",
    "less_than_or_equal": "<=",
    "less_or_equal": "<=",
}
"""Operators that are also spelled as words."""
