"""``map``, ``select``, ``reject``, ``selectattr``, ``rejectattr``: filters that apply another
filter or test, chosen when the expression is compiled, to each element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowmaestro.workflow.expressions.arguments import need_list
from flowmaestro.workflow.expressions.lookups import attribute_getter
from flowmaestro.workflow.expressions.number_filters import NOT_GIVEN
from flowmaestro.workflow.expressions.run import Closure, Missing, Run

Caller = Callable[..., Any]
"""Applies a filter or a test, its arguments included, to an element: ``call(run, element)``."""
Prepare = Callable[[Run], Caller]
"""Computes the arguments of a filter or a test, once for all elements."""


def map_attribute(operand: Closure, attribute: Closure, default: Closure | None) -> Closure:
    """Compile ``map(attribute='a.b', default=…)``."""

    def apply(run: Run) -> list[Any]:
        items = need_list(run, operand(run), "map")
        get = attribute_getter(run, attribute(run))
        instead = NOT_GIVEN if default is None else default(run)
        found = []
        for item in items:
            try:
                found.append(get(item))
            except Missing:
                if instead is NOT_GIVEN:
                    raise
                found.append(instead)
        return found

    return apply


def map_filter(operand: Closure, prepare: Prepare) -> Closure:
    """Compile ``map('filter', argument, …)``."""

    def apply(run: Run) -> list[Any]:
        items, call = need_list(run, operand(run), "map"), prepare(run)
        return [call(run, item) for item in items]

    return apply


def select(operand: Closure, prepare: Prepare, *, keep: bool, user: str) -> Closure:
    """Compile ``select('test', argument, …)``, or ``reject`` when *keep* is false."""

    def apply(run: Run) -> list[Any]:
        items, call = need_list(run, operand(run), user), prepare(run)
        return [item for item in items if bool(call(run, item)) is keep]

    return apply


def select_attribute(
    operand: Closure,
    attribute: Closure,
    prepare: Prepare,
    *,
    when_missing: bool,
    keep: bool,
    user: str,
) -> Closure:
    """Compile ``selectattr('field', 'test', argument, …)``, or ``rejectattr``.

    An element without the field passes *when_missing*: only ``undefined`` is true of it.
    """

    def apply(run: Run) -> list[Any]:
        items = need_list(run, operand(run), user)
        get, call = attribute_getter(run, attribute(run)), prepare(run)
        kept = []
        for item in items:
            try:
                value = get(item)
            except Missing:
                passes = when_missing
            else:
                passes = bool(call(run, value))
            if passes is keep:
                kept.append(item)
        return kept

    return apply
