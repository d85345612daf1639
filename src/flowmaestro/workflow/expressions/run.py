"""One rendering: the names it may look up, the budget it has left, and how values become text.

Values are JSON values throughout: ``dict`` with text keys, ``list``, ``str``, ``int``, ``float``,
``bool`` and ``None``. Nothing here, and nothing that is built on it, reaches a Python attribute of
a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from flowmaestro.workflow.expressions.errors import BudgetExceeded, ExpressionError
from flowmaestro.workflow.limits import MAX_INTEGER, RenderLimits

Closure = Callable[["Run"], Any]
"""A compiled expression: what it computes, given a run."""

_TYPE_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


class Missing(Exception):
    """A lookup that found nothing: what ``default`` and ``is defined`` ask for.

    The sentence is made only when it is needed, since it looks for near misses.
    """

    def __init__(self, describe: Callable[[], str]) -> None:
        super().__init__()
        self.describe = describe


class Run:
    """One rendering's names and what is left of its budget."""

    __slots__ = ("limits", "names", "size", "steps")

    def __init__(self, names: Mapping[str, Any], limits: RenderLimits) -> None:
        self.names = names
        self.limits = limits
        self.steps = limits.max_steps
        self.size = limits.max_size

    def step(self, count: int) -> None:
        """Charge *count* elements that are about to be visited."""
        self.steps -= count
        if self.steps < 0:
            raise BudgetExceeded(
                f"The expression visits more than {self.limits.max_steps:,} elements."
            )

    def grow(self, count: int) -> None:
        """Charge *count* characters or elements that are about to be made or searched."""
        self.size -= count
        if self.size < 0:
            raise BudgetExceeded(
                f"The expression makes or searches more than {self.limits.max_size:,} characters "
                "and elements."
            )

    def measure(self, value: Any) -> int:
        """Charge the whole of *value* as if it were written out, so that a list that holds the
        same large list a thousand times counts as what it would become; return how deep it nests.

        Raises :class:`ExpressionError` for what JSON cannot hold and for nesting that is too deep.
        """
        level, depth = [value], 0
        while level:
            inner: list[Any] = []
            for item in level:
                kind = type(item)
                if kind is str:
                    self.grow(len(item))
                elif kind is dict:
                    self.step(len(item) + 1)
                    self.grow(sum(map(len, item)) + len(item))
                    inner.extend(item.values())
                elif kind is list:
                    self.step(len(item) + 1)
                    self.grow(len(item))
                    inner.extend(item)
                else:
                    check_scalar(item)
            depth += 1
            if depth > self.limits.max_depth and inner:
                raise BudgetExceeded(
                    f"The value nests deeper than {self.limits.max_depth} lists and objects."
                )
            level = inner
        return depth

    def text(self, value: Any) -> str:
        """Return *value* as the text that it is inside a template: null is empty, booleans are
        ``true`` and ``false``, lists and objects are JSON."""
        if type(value) is str:
            return value
        if value is None:
            return ""
        return self.json(value)

    def json(self, value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
        """Return *value* as JSON text; text keeps its characters (no ``\\u`` escapes)."""
        steps = self.steps
        depth = self.measure(value)
        if indent:
            self.grow((steps - self.steps) * depth * indent)
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, indent=indent, sort_keys=sort_keys
        )


def check_scalar(value: Any) -> None:
    """Raise :class:`ExpressionError` unless *value* is a JSON scalar within its bounds."""
    kind = type(value)
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise BudgetExceeded("The expression makes an integer of more than 300 digits.")
    elif kind is float:
        if not isfinite(value):
            raise ExpressionError("The result is not a finite number, which JSON cannot hold.")
    elif not (value is None or kind is bool or kind is str):
        raise ExpressionError(f"A value of the Python type '{kind.__name__}' is not JSON.")


def plain(value: Any) -> Any:
    """Return *value* as the JSON value it stands for: a lazy mapping becomes an object."""
    kind = type(value)
    if kind in _TYPE_NAMES:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str.__str__(value)
    raise ExpressionError(f"A value of the Python type '{kind.__name__}' is not JSON.")


def type_name(value: Any) -> str:
    """Return what to call *value*'s type in a sentence: "a list", "text", "null"."""
    if isinstance(value, Mapping):
        return "an object"
    return _TYPE_NAMES.get(type(value), "not JSON")


def is_number(value: Any) -> bool:
    """Whether *value* is an integer or a float; booleans are not."""
    kind = type(value)
    return kind is int or kind is float
