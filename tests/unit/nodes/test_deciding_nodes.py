"""conditional, switch and router."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flowmaestro.nodes import NodeError, Routed
from flowmaestro.nodes.builtin.conditional import CONDITIONAL
from flowmaestro.nodes.builtin.router import RouterConfig
from flowmaestro.nodes.builtin.switch import SWITCH, handles
from flowmaestro.nodes.comparison import equal, is_true, loosely_equal
from flowmaestro.nodes.testing import RecordingContext, run_node

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


async def decide(left: Any, operator: str, right: Any = None) -> bool:
    config = {"left_value": left, "operator": operator, "right_value": right}
    result = await run_node(CONDITIONAL, config)
    assert isinstance(result, Routed)
    assert result.outputs == {"result": result.handle == "true"}
    return result.handle == "true"


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        (5, "==", 5),
        (5, "==", "5"),
        ("true", "equals", True),
        ({"a": [1]}, "==", {"a": [1.0]}),
        (1, "!=", True),
        ("a", "notEquals", "b"),
        (2, ">", 1),
        ("10", ">", "9"),
        ("10", "greaterThan", 9),
        ("b", ">", "a"),
        (2, ">=", 2),
        (1, "less_than", 2),
        (2, "lessThanOrEqual", 2.0),
        ("haystack", "contains", "hay"),
        ("room 5", "contains", 5),
        ([1, 2], "contains", 2),
        ({"a": 1}, "contains", "a"),
        ([1, 2], "notContains", 3),
        ("a", "in", ["a", "b"]),
        ("c", "not_in", ["a", "b"]),
        ("abc", "startsWith", "ab"),
        ("abc", "ends_with", "bc"),
        (None, "is_empty", None),
        ("", "isEmpty", None),
        ([], "is_empty", None),
        (0, "is_not_empty", None),
    ],
)
async def test_operators_that_hold(left: Any, operator: str, right: Any) -> None:
    assert await decide(left, operator, right)


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        (1, "==", True),
        (0, "==", None),
        ("", "==", None),
        ([1], "==", [True]),
        ("9", ">", "10"),
        ("abc", "contains", "x"),
        ("abc", "contains", None),
        ("a", "in", "bcd"),
        ("x", "is_empty", None),
    ],
)
async def test_operators_that_do_not_hold(left: Any, operator: str, right: Any) -> None:
    assert not await decide(left, operator, right)


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [(None, ">", 1), ("a", "<", 1), ([], ">=", []), (True, "<", 2), (5, "contains", 5)],
)
async def test_values_that_cannot_be_compared_fail_for_good(
    left: Any, operator: str, right: Any
) -> None:
    with pytest.raises(NodeError) as caught:
        await decide(left, operator, right)
    assert (caught.value.code, caught.value.retryable) == ("invalid_comparison", False)


async def test_an_expression_is_evaluated_among_the_node_s_names() -> None:
    asked = []

    def evaluator(expression: str) -> Any:
        asked.append(expression)
        return [1]

    context = RecordingContext(evaluator=evaluator)
    result = await run_node(CONDITIONAL, {"expression": "items"}, context=context)
    assert result == Routed("true", {"result": True})
    assert asked == ["items"]


async def test_an_expression_is_taken_raw_so_that_data_is_never_evaluated() -> None:
    assert CONDITIONAL.raw_fields == {"expression"}
    assert CONDITIONAL.spec.expression_fields == ("expression",)
    context = RecordingContext(evaluator=lambda expression: "1 == 1 or secrets.KEY")
    result = await run_node(CONDITIONAL, {"expression": "{{ text }}"}, context=context)
    assert result == Routed("true", {"result": True})


async def test_an_expression_may_be_a_plain_boolean() -> None:
    assert await run_node(CONDITIONAL, {"expression": False}) == Routed("false", {"result": False})


@pytest.mark.parametrize("value", [False, None, 0, 0.0, "", " ", "false", "False", [], {}])
def test_what_counts_as_false(value: Any) -> None:
    assert not is_true(value)


@pytest.mark.parametrize("value", [True, 1, -1, "true", "0", "no", [0], {"a": None}])
def test_what_counts_as_true(value: Any) -> None:
    assert is_true(value)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"expression": "a", "operator": "==", "left_value": 1},
        {"operator": "==", "right_value": 1},
        {"left_value": 1, "operator": "matches", "right_value": "(a+)+$"},
        {"left_value": 1, "operator": None},
    ],
)
def test_a_conditional_needs_exactly_one_way_to_decide(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CONDITIONAL.spec.config_model.model_validate(config)


@given(JSON)
def test_every_value_equals_itself(value: Any) -> None:
    assert equal(value, value)
    assert loosely_equal(value, value)


@given(JSON, JSON)
def test_equality_does_not_depend_on_the_order(left: Any, right: Any) -> None:
    assert equal(left, right) == equal(right, left)
    assert loosely_equal(left, right) == loosely_equal(right, left)


async def test_switch_takes_the_first_case_that_equals() -> None:
    cases = [{"value": "a", "handle": "first"}, {"value": 2, "handle": "second"}, "c"]
    for value, handle in [("a", "first"), (2, "second"), ("2", "second"), ("c", "c")]:
        result = await run_node(SWITCH, {"value": value, "cases": cases})
        assert result == Routed(handle, {"value": value, "case": handle})


async def test_switch_takes_the_default_when_no_case_equals() -> None:
    for value in ("A", None, True, ["a"], {"value": "a"}):
        result = await run_node(SWITCH, {"value": value, "cases": ["a", 1]})
        assert result == Routed("default", {"value": value, "case": None})


async def test_switch_tells_true_from_one() -> None:
    cases = [{"value": 1, "handle": "one"}, {"value": True, "handle": "yes"}]
    result = await run_node(SWITCH, {"value": True, "cases": cases})
    assert isinstance(result, Routed)
    assert result.handle == "yes"


def test_switch_refuses_no_cases_and_a_value_twice() -> None:
    for cases in ([], ["a", "a"], [{"value": 1}, 1], [{"handle": "x"}], "a"):
        with pytest.raises(ValidationError):
            SWITCH.spec.config_model.model_validate({"value": 1, "cases": cases})


def test_switch_handles_are_read_off_the_raw_config() -> None:
    assert handles({"cases": ["a", 5, True]}) == ("a", "5", "true", "default")
    assert handles({"cases": [{"value": "a", "handle": "x"}, {"value": 1}]}) == (
        "x",
        "1",
        "default",
    )


async def test_a_long_operator_is_refused_at_no_cost() -> None:
    with pytest.raises(NodeError, match=r"config\.operator"):
        await decide(1, "A" * 300_000)


def test_a_router_refuses_a_value_twice_however_many_routes_it_has() -> None:
    routes = [{"value": f"r{index}"} for index in range(100_000)]
    config = {"model": "m", "prompt": "p"}

    assert len(RouterConfig.model_validate({**config, "routes": routes}).routes) == len(routes)
    with pytest.raises(ValidationError, match="two routes have the value 'r7'"):
        RouterConfig.model_validate({**config, "routes": [*routes, {"value": "r7"}]})


@given(JSON)
def test_switch_handles_survive_any_raw_config(cases: Any) -> None:
    assert handles({"cases": cases})[-1] == "default" or "default" in handles({"cases": cases})
    assert handles({})
