"""Node types and functions made from decorated Python functions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import date
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from flowmaestro.nodes import (
    DuplicateName,
    InvalidNodeFunction,
    NodeCancelled,
    NodeContext,
    NodeError,
    NodeModuleError,
    Registry,
    Routed,
    Services,
    SyncNodeContext,
    function,
    node,
)
from flowmaestro.nodes.testing import Recorder, RecordingContext, run_node


def module_with(**members: object) -> ModuleType:
    module = ModuleType("user_nodes")
    vars(module).update(members)
    return module


def registry_with(*functions: Callable[..., Any]) -> Registry:
    members = {f"member_{index}": member for index, member in enumerate(functions)}
    return Registry.builtin(Services()).with_module(module_with(**members))


@node("sentiment")
async def sentiment(
    text: Annotated[str, Field(description="What to judge.")],
    context: NodeContext,
    min_score: float = 0.5,
) -> dict[str, Any]:
    """Judge a text.

    More about it.
    """
    await context.progress(50)
    context.log("judging", "debug")
    return {"score": min_score, "length": len(text)}


async def test_a_node_function_gets_its_config_and_the_context() -> None:
    context = RecordingContext()
    registry = registry_with(sentiment)
    config = {"text": "good", "minScore": "0.25"}
    result = await run_node(registry["sentiment"], config, context=context)
    assert result == {"score": 0.25, "length": 4}
    assert context.percents == [50.0]
    assert context.messages == [("debug", "judging")]


def test_type_hints_make_the_config_s_schema() -> None:
    spec = registry_with(sentiment).catalog["sentiment"]
    schema = spec.config_model.model_json_schema(by_alias=False)
    assert schema["required"] == ["text"]
    assert schema["properties"]["text"]["description"] == "What to judge."
    assert set(schema["properties"]) == {"text", "min_score", "output_variable"}
    assert spec.description == "Judge a text."
    assert spec.handles is None


def test_a_decorated_function_is_still_a_function() -> None:
    @function
    def double(x: int) -> int:
        return 2 * x

    assert double(4) == 8


async def test_a_function_without_async_runs_in_a_thread() -> None:
    @node
    def where(context: SyncNodeContext) -> dict[str, Any]:
        context.progress(30)
        context.log("in a thread")
        return {"thread": threading.current_thread().name, "attempt": context.attempt}

    context = RecordingContext(attempt=3)
    result = await run_node(registry_with(where)["where"], {}, context=context)
    assert isinstance(result, dict)
    assert result["thread"] != threading.current_thread().name
    assert result["attempt"] == 3
    assert context.percents == [30.0]
    assert context.messages == [("info", "in a thread")]


async def test_a_cancelled_thread_is_told_at_its_next_progress_and_says_nothing_more() -> None:
    may_go_on, ended = threading.Event(), threading.Event()
    seen: list[object] = []

    @node
    def stubborn(context: SyncNodeContext) -> None:
        context.progress(1)
        may_go_on.wait()
        seen.append(context.cancelled)
        context.log("nobody hears this")
        try:
            context.progress(2)
        except NodeCancelled as error:
            seen.append(error.code)
        ended.set()

    reported = asyncio.Event()

    class Announcing(Recorder):
        async def progress(self, percent: float) -> None:
            await super().progress(percent)
            reported.set()

    context = RecordingContext(reporter=Announcing())
    running = asyncio.ensure_future(
        run_node(registry_with(stubborn)["stubborn"], {}, context=context)
    )
    await reported.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    may_go_on.set()
    assert await asyncio.to_thread(ended.wait, 10)
    assert seen == [True, "cancelled"]
    assert context.percents == [1.0]
    assert context.messages == []


async def test_progress_is_clipped_and_must_be_a_number() -> None:
    context = RecordingContext()
    for percent in (-5, 250, 33.3):
        await context.progress(percent)
    assert context.percents == [0.0, 100.0, 33.3]
    with pytest.raises(ValueError, match="NaN"):
        await context.progress(float("nan"))


def test_the_idempotency_key_stays_over_attempts() -> None:
    keys = {RecordingContext(attempt=attempt).idempotency_key for attempt in (1, 2)}
    assert keys == {"exec_test:node"}


class Answer(BaseModel):
    value: int


@pytest.mark.parametrize(
    ("returned", "outputs"),
    [
        ({"a": 1}, {"a": 1}),
        (None, {"value": None}),
        (3, {"value": 3}),
        ([1, 2], {"value": [1, 2]}),
        (Answer(value=1), {"value": 1}),
        ({"day": date(2026, 1, 2)}, {"day": "2026-01-02"}),
        ({"x": float("nan")}, {"x": None}),
        ({1: "a"}, {"1": "a"}),
    ],
)
async def test_any_json_value_is_a_result(returned: Any, outputs: dict[str, Any]) -> None:
    @node
    async def give() -> Any:
        return returned

    assert await run_node(registry_with(give)["give"], {}) == outputs


@pytest.mark.parametrize("returned", [object(), {"a": b"\xff"}, "\ud800", {"f": print}])
async def test_a_result_that_json_cannot_hold_fails_for_good(returned: Any) -> None:
    @node
    async def give() -> Any:
        return returned

    with pytest.raises(NodeError, match="cannot be stored as JSON") as caught:
        await run_node(registry_with(give)["give"], {})
    assert (caught.value.code, caught.value.retryable) == ("invalid_result", False)


async def test_a_routing_function_declares_its_handles() -> None:
    @node("coin", handles=("heads", "tails"))
    async def coin(side: str) -> Any:
        return Routed(side, {"side": side}) if side else {"side": None}

    registry = registry_with(coin)
    handles = registry.catalog["coin"].handles
    assert handles is not None
    assert handles({}) == ("heads", "tails")
    result = await run_node(registry["coin"], {"side": "tails"})
    assert result == Routed("tails", {"side": "tails"})
    for side in ("edge", ""):
        with pytest.raises(NodeError, match="heads") as caught:
            await run_node(registry["coin"], {"side": side})
        assert caught.value.code == "invalid_handle"


async def test_what_a_function_raises_comes_through() -> None:
    @node
    async def fails() -> None:
        raise NodeError("the gauge is broken", code="broken_gauge")

    @node
    def divides() -> float:
        return 1 / 0

    registry = registry_with(fails, divides)
    with pytest.raises(NodeError, match="the gauge is broken"):
        await run_node(registry["fails"], {})
    with pytest.raises(ZeroDivisionError):
        await run_node(registry["divides"], {})


async def test_parameters_may_be_called_what_pydantic_calls_its_own_methods() -> None:
    @node
    async def keep(json: dict[str, Any], schema: str = "", copy: bool = False) -> Any:
        return {"json": json, "schema": schema, "copy": copy}

    result = await run_node(registry_with(keep)["keep"], {"json": {"a": 1}, "schema": "s"})
    assert result == {"json": {"a": 1}, "schema": "s", "copy": False}


async def takes_many(*texts: str) -> None: ...
async def takes_any(**texts: str) -> None: ...
async def takes_by_place(text: str, /) -> None: ...
async def takes_private(_text: str) -> None: ...
async def takes_taken(output_variable: str) -> None: ...
async def takes_reserved(model_dump: str) -> None: ...
async def takes_two(one: NodeContext, two: NodeContext) -> None: ...
async def takes_sync(context: SyncNodeContext) -> None: ...
def takes_async(context: NodeContext) -> None: ...
def yields() -> Any:
    yield 1


async def hints_nothing(text: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("decorated", "reason"),
    [
        (takes_many, "cannot be given by name"),
        (takes_any, "cannot be given by name"),
        (takes_by_place, "cannot be given by name"),
        (takes_private, "underscore"),
        (takes_taken, "a field that every node has"),
        (takes_reserved, "reserved"),
        (takes_two, "the context twice"),
        (takes_sync, "must be a NodeContext"),
        (takes_async, "must be a SyncNodeContext"),
        (yields, "it yields"),
        (hints_nothing, "type hints cannot be read"),
    ],
)
def test_a_signature_that_cannot_be_a_config_is_refused(
    decorated: Callable[..., Any], reason: str
) -> None:
    with pytest.raises(InvalidNodeFunction, match=reason) as caught:
        registry_with(node(decorated))
    assert decorated.__name__ in str(caught.value)


def test_names_must_be_free() -> None:
    @node("http")
    async def own_http() -> None: ...

    @node("mine")
    async def first() -> None: ...

    @node("mine")
    async def second() -> None: ...

    @function("mine")
    def third() -> None: ...

    @function("mine")
    def fourth() -> None: ...

    with pytest.raises(DuplicateName, match=r"'http' of .*own_http is already.* FlowMaestro"):
        registry_with(own_http)
    with pytest.raises(DuplicateName, match=r"second.*already defined by .*first"):
        registry_with(first, second)
    with pytest.raises(DuplicateName, match="the function 'mine'"):
        registry_with(third, fourth)


def test_one_function_may_come_through_several_modules() -> None:
    registry = registry_with(sentiment)
    again = registry.with_module(module_with(one=sentiment, other=sentiment))
    assert set(again) == set(registry)


def test_a_registry_is_not_changed_by_with_module() -> None:
    registry = Registry.builtin(Services())
    registry.with_module(module_with(sentiment=sentiment))
    assert "sentiment" not in registry
    assert "sentiment" not in registry.catalog


def test_a_module_without_decorated_functions_is_refused() -> None:
    with pytest.raises(NodeModuleError, match="nothing in it is decorated"):
        Registry.builtin(Services()).with_module(module_with(x=1, y=print))


@function("add")
def add(left: int, right: int = 1) -> int:
    """Add two numbers."""
    return left + right


@function
async def whoami(context: NodeContext) -> str:
    return context.node_id


async def test_the_python_node_calls_registered_functions() -> None:
    registry = registry_with(add, whoami)
    assert set(registry.functions) == {"add", "whoami"}
    assert registry.functions["add"].description == "Add two numbers."
    python = registry["python"]
    config = {"function": "add", "arguments": {"left": "4", "right": 2}}
    assert await run_node(python, config) == {"value": 6}
    assert await run_node(python, {"function": "add", "arguments": {"left": 4}}) == {"value": 5}
    assert await run_node(python, {"function": "whoami"}) == {"value": "node"}


@pytest.mark.parametrize(
    ("config", "place", "said"),
    [
        ({"function": "ad"}, "function", "did you mean 'add'"),
        ({"function": "zzz"}, "function", "registered are add, whoami"),
        ({"function": "add"}, "arguments", "`left` must be given"),
        (
            {"function": "add", "arguments": {"left": 1, "middle": 2}},
            "arguments",
            "`middle` cannot be given: it takes `left`, `right`",
        ),
        ({}, "function", "required"),
    ],
)
def test_the_python_node_s_config_knows_the_functions(
    config: dict[str, Any], place: str, said: str
) -> None:
    model = registry_with(add, whoami).catalog["python"].config_model
    with pytest.raises(ValidationError) as caught:
        model.model_validate(config)
    (problem,) = caught.value.errors()
    assert problem["loc"] == (place,)
    assert said in problem["msg"]


async def test_arguments_that_do_not_fit_fail_for_good_without_telling_their_values() -> None:
    config = {"function": "add", "arguments": {"left": "hunter2"}}
    with pytest.raises(NodeError, match="'add' cannot be called: left:") as caught:
        await run_node(registry_with(add)["python"], config)
    assert (caught.value.code, caught.value.retryable) == ("invalid_arguments", False)
    assert "hunter2" not in caught.value.message


def test_without_functions_the_python_node_says_so() -> None:
    model = Registry.builtin(Services()).catalog["python"].config_model
    with pytest.raises(ValidationError, match="none is registered"):
        model.model_validate({"function": "add"})


def test_every_type_describes_itself_and_each_of_its_fields() -> None:
    for name, spec in Registry.builtin(Services()).catalog.items():
        assert spec.name == name
        assert spec.description
        assert spec.config_model.__doc__
        for field, schema in spec.config_model.model_json_schema(by_alias=False)[
            "properties"
        ].items():
            assert schema.get("description"), f"{name}.{field}"
