"""Reading the operands and arguments of filters, tests and functions: each says what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowmaestro.workflow.expressions.errors import ExpressionError
from flowmaestro.workflow.expressions.run import Run, is_number, type_name


def need_text(run: Run, value: Any, user: str) -> str:
    """Return *value* as text and charge its length: text, numbers, booleans and null have one;
    lists and objects are refused, since ``tojson`` says it plainly."""
    if type(value) is not str:
        if type(value) is list or isinstance(value, Mapping):
            raise ExpressionError(f"'{user}' needs text, not {type_name(value)}.")
        value = run.text(value)
    run.grow(len(value))
    return str(value)


def need_list(run: Run, value: Any, user: str) -> list[Any]:
    """Return the elements of *value* and charge the visit: a list's elements, an object's field
    names, a text's characters. The list is not a copy."""
    if type(value) is list:
        run.step(len(value))
        return value
    if isinstance(value, Mapping) or type(value) is str:
        run.step(len(value))
        return list(value)
    raise ExpressionError(f"'{user}' needs a list, not {type_name(value)}.")


def need_object(run: Run, value: Any, user: str) -> Mapping[str, Any]:
    """Return *value*, an object, and charge a visit of its fields."""
    if not isinstance(value, Mapping):
        raise ExpressionError(f"'{user}' needs an object, not {type_name(value)}.")
    run.step(len(value))
    return value


def need_number(value: Any, user: str) -> int | float:
    """Return *value*, a number."""
    if not is_number(value):
        raise ExpressionError(f"'{user}' needs a number, not {type_name(value)}.")
    number: int | float = value
    return number


def need_integer(value: Any, user: str, *, least: int, most: int) -> int:
    """Return *value*, an integer from *least* to *most*."""
    if type(value) is not int:
        raise ExpressionError(f"'{user}' needs an integer, not {type_name(value)}.")
    if not least <= value <= most:
        raise ExpressionError(f"'{user}' needs an integer from {least} to {most}.")
    return value


def need_boolean(value: Any, user: str) -> bool:
    """Return *value*, a boolean."""
    if type(value) is not bool:
        raise ExpressionError(f"'{user}' needs true or false, not {type_name(value)}.")
    return value
