"""``flowmaestro.nodes.testing``: what it offers to who writes node types."""

from __future__ import annotations

from typing import Any

import pytest

from flowmaestro.nodes import (
    InvalidNodeFunction,
    NodeContext,
    NodeError,
    Routed,
    SyncNodeContext,
    function,
    node,
)
from flowmaestro.nodes.testing import RecordedMessage, RecordingContext, run_node


@node("greet")
async def greet(name: str, context: NodeContext, times: int = 1) -> dict[str, Any]:
    context.log(f"greeting {name}", "debug")
    await context.progress(150)
    return {"text": name * times, "attempt": context.attempt, "inputs": context.inputs}


@node("parity", handles=("even", "odd"))
def parity(number: int, context: SyncNodeContext) -> Routed:
    context.progress(50)
    context.log("counting")
    return Routed("even" if number % 2 == 0 else "odd", {"half": number / 2})


@function("add")
def add(numbers: list[float]) -> float:
    return sum(numbers)


async def test_a_node_gets_its_checked_config_and_the_inputs_and_the_attempt() -> None:
    result = await run_node(greet, {"name": "a", "times": "2"}, inputs={"x": 1}, attempt=3)
    assert result == {"text": "aa", "attempt": 3, "inputs": {"x": 1}}


async def test_what_it_says_is_recorded() -> None:
    context = RecordingContext(inputs={"x": 1})
    assert await run_node(greet, {"name": "a"}, context=context) == {
        "text": "a",
        "attempt": 1,
        "inputs": {"x": 1},
    }
    assert context.percents == [100.0]
    assert context.messages == [RecordedMessage("debug", "greeting a")]
    assert context.messages[0].text == "greeting a"


async def test_a_context_can_be_given_to_the_function_itself() -> None:
    context = RecordingContext(attempt=2)
    assert (await greet("a", context))["attempt"] == 2
    assert context.messages == [("debug", "greeting a")]
    assert not RecordingContext().messages


async def test_one_without_async_runs_as_it_does_in_the_engine() -> None:
    context = RecordingContext()
    assert await run_node(parity, {"number": 3}, context=context) == Routed("odd", {"half": 1.5})
    assert (context.percents, context.messages) == ([50.0], [("info", "counting")])


async def test_a_function_of_python_nodes_gets_its_arguments() -> None:
    assert await run_node(add, {"numbers": [1, "2"]}) == {"value": 3.0}
    with pytest.raises(NodeError) as caught:
        await run_node(add, {"numbers": "x"})
    assert caught.value.code == "invalid_arguments"


async def test_a_config_that_does_not_fit_fails_as_in_an_execution() -> None:
    with pytest.raises(NodeError, match=r"config\.name: .*; config\.times: ") as caught:
        await run_node(greet, {"times": "often"})
    assert (caught.value.code, caught.value.retryable) == ("invalid_config", False)


async def test_a_context_evaluates_expressions_without_names() -> None:
    assert RecordingContext().evaluate("1 + 1") == 2
    assert RecordingContext(evaluator=lambda _: "mine").evaluate("x") == "mine"


async def test_what_cannot_be_run_is_refused() -> None:
    async def plain() -> None: ...

    with pytest.raises(InvalidNodeFunction, match="neither @node nor @function"):
        await run_node(plain)
    with pytest.raises(ValueError, match="the context"):
        await run_node(greet, {"name": "a"}, attempt=2, context=RecordingContext())
