"""Arithmetic, comparison and concatenation over JSON values.

Whatever could grow its operands is charged with the size of its result before it is computed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from flowmaestro.workflow.expressions.errors import BudgetExceeded, ExpressionError
from flowmaestro.workflow.expressions.run import Run, check_scalar, is_number, type_name
from flowmaestro.workflow.limits import MAX_INTEGER

Binary = Callable[[Run, Any, Any], Any]

_MAX_BITS = MAX_INTEGER.bit_length()


def _arithmetic(symbol: str, compute: Callable[[Any, Any], Any]) -> Binary:
    def apply(_run: Run, left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            raise _wrong_types(symbol, left, right)
        try:
            result = compute(left, right)
        except ZeroDivisionError:
            raise ExpressionError(f"'{symbol}' divides by zero.") from None
        except OverflowError:
            raise ExpressionError(f"The result of '{symbol}' is too large a number.") from None
        check_scalar(result)
        return result

    return apply


def _power(left: Any, right: Any) -> Any:
    # Bounded by its result's bits before it is computed: 9 ** 9 ** 9 would never end.
    bounded = type(left) is float or type(right) is float or right <= 0 or -1 <= left <= 1
    if not bounded and (left.bit_length() - 1) * right > _MAX_BITS:
        raise BudgetExceeded("The expression makes an integer of more than 300 digits.")
    result = left**right
    if type(result) is complex:
        raise ExpressionError("A negative number has no fractional power.")
    return result


_plus = _arithmetic("+", operator.add)
_times = _arithmetic("*", operator.mul)


def add(run: Run, left: Any, right: Any) -> Any:
    """``+``: numbers add, text joins text, a list joins a list."""
    kind = type(left)
    if kind is type(right) and (kind is str or kind is list):
        run.grow(len(left) + len(right))
        return left + right
    return _plus(run, left, right)


def multiply(run: Run, left: Any, right: Any) -> Any:
    """``*``: numbers multiply; text or a list is repeated by an integer."""
    if type(left) is int and (type(right) is str or type(right) is list):
        left, right = right, left
    if type(right) is int and (type(left) is str or type(left) is list):
        run.grow(len(left) * max(right, 0))
        return left * right if left and right > 0 else left[:0]
    return _times(run, left, right)


def compare_order(symbol: str) -> Binary:
    """``<``, ``<=``, ``>``, ``>=``: between numbers, or between texts."""
    compute = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[symbol]

    def apply(run: Run, left: Any, right: Any) -> Any:
        if is_number(left) and is_number(right):
            return compute(left, right)
        if type(left) is str and type(right) is str:
            run.grow(min(len(left), len(right)))
            return compute(left, right)
        raise _wrong_types(symbol, left, right)

    return apply


def equal(run: Run, left: Any, right: Any) -> bool:
    """``==``, by value and through lists and objects; values of different types are unequal."""
    if type(left) is dict or type(left) is list:
        if type(left) is not type(right) or len(left) != len(right):
            return False
        run.measure(left)
        run.measure(right)
    return bool(left == right)


def unequal(run: Run, left: Any, right: Any) -> bool:
    """``!=``."""
    return not equal(run, left, right)


def contains(run: Run, container: Any, item: Any) -> bool:
    """``item in container``: an element of a list, a field of an object, a part of a text."""
    if type(container) is str:
        if type(item) is not str:
            raise ExpressionError(f"'in' looks for text in text, not for {type_name(item)}.")
        run.grow(len(container))
        return item in container
    if isinstance(container, Mapping):
        return type(item) is str and item in container
    if type(container) is list:
        if type(item) is dict or type(item) is list:
            run.measure(container)
            run.measure(item)
        run.step(len(container))
        return item in container
    raise ExpressionError(f"'in' needs a list, an object or text, not {type_name(container)}.")


def is_in(run: Run, item: Any, container: Any) -> bool:
    """``in``, with the operands in the order they are written."""
    return contains(run, container, item)


def not_in(run: Run, item: Any, container: Any) -> bool:
    """``not in``."""
    return not contains(run, container, item)


def negate(value: Any) -> Any:
    """Unary ``-``."""
    if not is_number(value):
        raise ExpressionError(f"'-' needs a number, not {type_name(value)}.")
    return -value


def positive(value: Any) -> Any:
    """Unary ``+``."""
    if not is_number(value):
        raise ExpressionError(f"'+' needs a number, not {type_name(value)}.")
    return value


def _wrong_types(symbol: str, left: Any, right: Any) -> ExpressionError:
    hint = ""
    if symbol == "+" and (type(left) is str or type(right) is str):
        hint = " Use '~' to join values as text."
    return ExpressionError(
        f"'{symbol}' does not work between {type_name(left)} and {type_name(right)}.{hint}"
    )


BINARY: Mapping[str, Binary] = {
    "Add": add,
    "Sub": _arithmetic("-", operator.sub),
    "Mul": multiply,
    "Div": _arithmetic("/", operator.truediv),
    "FloorDiv": _arithmetic("//", operator.floordiv),
    "Mod": _arithmetic("%", operator.mod),
    "Pow": _arithmetic("**", _power),
}
"""The arithmetic operators by the name of their syntax node."""

COMPARE: Mapping[str, Binary] = {
    "eq": equal,
    "ne": unequal,
    "lt": compare_order("<"),
    "lteq": compare_order("<="),
    "gt": compare_order(">"),
    "gteq": compare_order(">="),
    "in": is_in,
    "notin": not_in,
}
"""The comparison operators by the parser's name for them."""
