"""Any expression over any JSON data has a JSON value or an ExpressionError, soon."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowmaestro.workflow.expressions import ExpressionError, compile_template, evaluate
from flowmaestro.workflow.expressions.checks import CHECKS
from flowmaestro.workflow.expressions.library import FILTERS, FUNCTIONS, METHODS
from flowmaestro.workflow.limits import RenderLimits

LIMITS = RenderLimits(max_steps=5_000, max_size=50_000, max_depth=20)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["1", "-2.5", "a,b", "[1]", "true", "\n", "ß", "{{", "\ud800"])
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["a", "b", "0", "items"]) | st.text(), inner, max_size=5)
    ),
    max_leaves=25,
)
WORDS = "a b c a.a a.b[0] b[1] c['a'] c.items [] {} '' 'x' 'a,b' 0 1 -1 2.5 1e300 300 none true"
ATOMS = st.sampled_from(WORDS.split())
SYMBOLS = "+ - * / // % ** ~ == != < <= > >= in and or"
OPERATORS = SYMBOLS.split()


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("({}|{})".format, inner, st.sampled_from(sorted(FILTERS))),
        st.builds("({}|{}({}))".format, inner, st.sampled_from(sorted(FILTERS)), several),
        st.builds("({}|map('{}'))".format, inner, st.sampled_from(sorted(FILTERS))),
        st.builds("({}|map(attribute={}))".format, inner, inner),
        st.builds("({}|select('{}', {}))".format, inner, st.sampled_from(sorted(CHECKS)), inner),
        st.builds("({}|selectattr('a', '{}'))".format, inner, st.sampled_from(sorted(CHECKS))),
        st.builds("({}|default({}))".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), several),
        st.builds("({}).{}({})".format, inner, st.sampled_from(sorted(METHODS)), several),
        st.builds("({} is {})".format, inner, st.sampled_from(sorted(CHECKS))),
        st.builds("({} is defined)".format, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:{}:{}]".format, inner, inner, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}]".format, several),
        st.builds("{{'k': {}}}".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} not in {})".format, inner, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, _combined, max_leaves=8)


def is_json(value: Any) -> bool:
    json.dumps(value, allow_nan=False)
    return True


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
