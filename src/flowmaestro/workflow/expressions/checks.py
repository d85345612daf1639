"""What may follow ``is``: pure questions about a value. ``defined`` and ``undefined`` are the
compiler's, since they are about whether there is a value at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowmaestro.workflow.expressions.arguments import need_number, need_text
from flowmaestro.workflow.expressions.errors import ExpressionError
from flowmaestro.workflow.expressions.operators import COMPARE, is_in
from flowmaestro.workflow.expressions.run import Run, is_number


def none(_run: Run, value: Any) -> bool:
    """``is none``: null."""
    return value is None


def number(_run: Run, value: Any) -> bool:
    """``is number``: an integer or a float, no boolean."""
    return is_number(value)


def integer(_run: Run, value: Any) -> bool:
    """``is integer``."""
    return type(value) is int


def floating(_run: Run, value: Any) -> bool:
    """``is float``."""
    return type(value) is float


def boolean(_run: Run, value: Any) -> bool:
    """``is boolean``."""
    return type(value) is bool


def true(_run: Run, value: Any) -> bool:
    """``is true``."""
    return value is True


def false(_run: Run, value: Any) -> bool:
    """``is false``."""
    return value is False


def string(_run: Run, value: Any) -> bool:
    """``is string``."""
    return type(value) is str


def mapping(_run: Run, value: Any) -> bool:
    """``is mapping``: an object."""
    return isinstance(value, Mapping)


def sequence(_run: Run, value: Any) -> bool:
    """``is sequence``: a list, an object or text."""
    return type(value) is list or type(value) is str or isinstance(value, Mapping)


def empty(run: Run, value: Any) -> bool:
    """``is empty``: null, or a list, an object or a text with nothing in it."""
    return value is None or (sequence(run, value) and not value)


def even(_run: Run, value: Any) -> bool:
    """``is even``."""
    return need_number(value, "even") % 2 == 0


def odd(_run: Run, value: Any) -> bool:
    """``is odd``."""
    return need_number(value, "odd") % 2 == 1


def divisible_by(_run: Run, value: Any, num: Any) -> bool:
    """``is divisibleby(3)``."""
    divisor = need_number(num, "divisibleby")
    if divisor == 0:
        raise ExpressionError("'divisibleby' divides by zero.")
    try:
        return need_number(value, "divisibleby") % divisor == 0
    except OverflowError:
        raise ExpressionError("'divisibleby' needs smaller numbers.") from None


def lower(run: Run, value: Any) -> bool:
    """``is lower``: text without capital letters."""
    return need_text(run, value, "lower").islower()


def upper(run: Run, value: Any) -> bool:
    """``is upper``: text in capital letters."""
    return need_text(run, value, "upper").isupper()


def one_of(run: Run, value: Any, seq: Any) -> bool:
    """``is in [1, 2]``."""
    return is_in(run, value, seq)


def _comparison(name: str) -> Callable[[Run, Any, Any], bool]:
    compare = COMPARE[name]

    def check(run: Run, value: Any, other: Any) -> bool:
        return bool(compare(run, value, other))

    return check


_BASIC: Mapping[str, Callable[..., bool]] = {
    "none": none,
    "null": none,
    "number": number,
    "integer": integer,
    "float": floating,
    "boolean": boolean,
    "true": true,
    "false": false,
    "string": string,
    "mapping": mapping,
    "sequence": sequence,
    "iterable": sequence,
    "empty": empty,
    "even": even,
    "odd": odd,
    "divisibleby": divisible_by,
    "lower": lower,
    "upper": upper,
    "in": one_of,
}
_COMPARISONS: Mapping[str, Callable[..., bool]] = {
    name: _comparison(compared)
    for names, compared in (
        (("eq", "equalto", "=="), "eq"),
        (("ne", "!="), "ne"),
        (("lt", "lessthan", "<"), "lt"),
        (("le", "<="), "lteq"),
        (("gt", "greaterthan", ">"), "gt"),
        (("ge", ">="), "gteq"),
    )
    for name in names
}
CHECKS: Mapping[str, Callable[..., bool]] = {**_BASIC, **_COMPARISONS}
"""The tests by name; each is called with the run, the value and the test's arguments."""
