"""Any expression over any JSON data has a JSON value or an ExpressionError, soon."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowmaestro.workflow.expressions import ExpressionError, compile_template, evaluate
from flowmaestro.workflow.limits import RenderLimits
from tests.support.expressions import DATA, EXPRESSIONS

LIMITS = RenderLimits(max_steps=5_000, max_size=50_000, max_depth=20)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(EXPRESSIONS, st.fixed_dictionaries({"a": DATA, "b": DATA, "c": DATA}))
def test_an_expression_has_a_json_value_or_an_error(expression: str, names: dict[str, Any]) -> None:
    before = repr(names)
    for text in (f"{{{{ {expression} }}}}", f"text {{{{ {expression} }}}}"):
        try:
            value = compile_template(text).render(names, LIMITS)
        except ExpressionError:
            continue
        if not any(abs(number) > 10**300 for number in integers_in(names)):
            assert is_json(value)
    assert repr(names) == before


def is_json(value: Any) -> bool:
    json.dumps(value, allow_nan=False)
    return True


def integers_in(value: Any) -> list[int]:
    """The integers inside *value*: larger ones than JSON text may hold pass through unseen."""
    if isinstance(value, dict):
        return [number for item in value.values() for number in integers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in integers_in(item)]
    return [value] if type(value) is int else []


@given(st.text(alphabet="{}%#|.,()[]'\"\\ abc1+-*~=<>\n", max_size=40))
def test_any_text_compiles_or_says_why(text: str) -> None:
    for candidate in (text, f"{{{{{text}}}}}"):
        try:
            compile_template(candidate).render({"a": 1, "b": [1], "c": {"a": 2}}, LIMITS)
        except ExpressionError:
            continue


@given(DATA)
def test_what_is_looked_up_comes_back_as_it_is(value: Any) -> None:
    assert evaluate("a", {"a": value}) is value
    assert evaluate("a.b[0]", {"a": {"b": [value]}}) is value
