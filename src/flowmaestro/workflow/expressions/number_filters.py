"""Filters and functions that make or change numbers, and the range of them."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

from flowmaestro.workflow.expressions.arguments import need_integer, need_number
from flowmaestro.workflow.expressions.errors import ExpressionError
from flowmaestro.workflow.expressions.run import Run, check_scalar, is_number, type_name

_DIGITS = 400
_MOST = 10**18


class _NotGiven:
    """Stands for an argument that was left out, where null is a value."""


NOT_GIVEN = _NotGiven()

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


def absolute(_run: Run, value: Any) -> Any:
    """``-1|abs`` → ``1``."""
    return abs(need_number(value, "abs"))


def rounded(_run: Run, value: Any, precision: Any = 0, method: Any = "common") -> Any:
    """``2.71|round(1)`` → ``2.7``; to a whole number it is an integer. *method* is ``'common'``,
    ``'ceil'`` or ``'floor'``; ``'common'`` rounds halves to the even neighbour."""
    number = need_number(value, "round")
    digits = need_integer(precision, "round precision", least=-300, most=300)
    if method not in ("common", "ceil", "floor"):
        raise ExpressionError("'round' knows the methods 'common', 'ceil' and 'floor'.")
    try:
        if method == "common":
            result: Any = round(number, digits) if digits else round(number)
        else:
            step = ceil if method == "ceil" else floor
            scale: int | float = 10**digits if digits >= 0 else 10.0**digits
            result = step(number * scale) / scale if digits else step(number)
    except (OverflowError, ValueError):
        raise ExpressionError("'round' needs a smaller number.") from None
    check_scalar(result)
    return result


def to_integer(_run: Run, value: Any, default: Any = NOT_GIVEN, base: Any = 10) -> Any:
    """``'42'|int`` → ``42``, ``4.7|int`` → ``4``; what is no number is *default*, or an error."""
    radix = need_integer(base, "int base", least=2, most=36)
    result: Any = None
    try:
        if type(value) is str:
            _check_length(value, "int")
            result = _parse_integer(value, radix)
        elif is_number(value) or type(value) is bool:
            result = int(value)
    except (ValueError, OverflowError):
        result = None
    return _converted(result, value, default, "int")


def to_float(_run: Run, value: Any, default: Any = NOT_GIVEN) -> Any:
    """``'1.5'|float`` → ``1.5``; what is no number is *default*, or an error."""
    result: Any = None
    try:
        if type(value) is str:
            _check_length(value, "float")
            result = float(value)
        elif is_number(value) or type(value) is bool:
            result = float(value)
        if result is not None:
            check_scalar(result)
    except (ValueError, OverflowError, ExpressionError):
        result = None
    return _converted(result, value, default, "float")


def to_boolean(_run: Run, value: Any) -> bool:
    """Text that says so (true, yes, on, 1; false, no, off, 0, nothing at all), else whether a
    value is not null, zero or empty."""
    if type(value) is str:
        word = value[:10].strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE and len(value) <= _DIGITS:
            return False
        raise ExpressionError("'bool' needs a text such as 'true' or 'false'.")
    return bool(value)


def number_range(run: Run, start: Any, stop: Any = None, step: Any = 1) -> list[int]:
    """``range(3)`` → ``[0, 1, 2]``; ``range(1, 10, 3)`` → ``[1, 4, 7]``."""
    if stop is None:
        start, stop = 0, start
    first = need_integer(start, "range", least=-_MOST, most=_MOST)
    end = need_integer(stop, "range", least=-_MOST, most=_MOST)
    stride = need_integer(step, "range", least=-_MOST, most=_MOST)
    if stride == 0:
        raise ExpressionError("'range' needs a step other than 0.")
    numbers = range(first, end, stride)
    # Not len(): it is an OverflowError for more than 2 ** 63.
    count = max(0, (end - first + stride - (1 if stride > 0 else -1)) // stride)
    run.step(count)
    run.grow(count)
    return list(numbers)


def _parse_integer(text: str, radix: int) -> int:
    try:
        return int(text, radix)
    except ValueError:
        if radix != 10:
            raise
        return int(float(text))


def _converted(result: Any, value: Any, default: Any, user: str) -> Any:
    if result is not None:
        check_scalar(result)
        return result
    if default is NOT_GIVEN:
        what = "this text" if type(value) is str else type_name(value)
        raise ExpressionError(f"'{user}' cannot read {what} as a number.")
    return default


def _check_length(text: str, user: str) -> None:
    # Python reads digits in quadratic time.
    if len(text) > _DIGITS:
        raise ExpressionError(f"'{user}' reads texts of up to {_DIGITS} characters.")
