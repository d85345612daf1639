"""What can go wrong with an expression.

::

    ExpressionError
    ├── TemplateSyntaxError   found when it is compiled
    ├── UndefinedName         a name, field or index that is not there
    └── BudgetExceeded        it would visit or make more than a rendering may

Messages name types, fields and limits, never the values that were looked at: those may be secret.
"""

from __future__ import annotations

_SHOWN_CHARACTERS = 120


class ExpressionError(Exception):
    """An expression that has no value. ``message`` is a sentence that says why; ``expression`` is
    the text it was written as, empty as long as it is not known."""

    def __init__(self, message: str, expression: str = "") -> None:
        super().__init__(message, expression)
        self.message = message
        self.expression = expression

    def __str__(self) -> str:
        if not self.expression:
            return self.message
        shown = self.expression
        if len(shown) > _SHOWN_CHARACTERS:
            shown = shown[:_SHOWN_CHARACTERS] + "…"
        return f"{self.message} (in {shown})"


class TemplateSyntaxError(ExpressionError):
    """A template that cannot be compiled. ``line`` and ``column``, both from 1, say where in the
    template the faulty expression begins."""

    def __init__(self, message: str, expression: str = "", line: int = 1, column: int = 1) -> None:
        super().__init__(message, expression)
        self.line = line
        self.column = column


class UndefinedName(ExpressionError):
    """A name, a field or an index that is not there."""


class BudgetExceeded(ExpressionError):
    """An expression that would do more work, or make larger values, than its limits allow."""
