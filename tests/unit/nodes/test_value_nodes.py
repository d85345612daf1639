"""The nodes that only look at values: input, output, transform, loop, workflow, wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from flowmaestro.nodes import Expanded, NodeError
from flowmaestro.nodes.builtin.input import INPUT
from flowmaestro.nodes.builtin.loop import LOOP, MAX_ITEMS
from flowmaestro.nodes.builtin.output import OUTPUT
from flowmaestro.nodes.builtin.transform import TRANSFORM
from flowmaestro.nodes.builtin.wait import WAIT
from flowmaestro.nodes.builtin.workflow import WORKFLOW
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.testing import run_node

BODY = {"nodes": {"a": {"type": "transform", "config": {"value": 1}}}, "edges": []}


def problems(node_type: NodeType, config: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        node_type.spec.config_model.model_validate(config)
    return {".".join(map(str, one["loc"])): one["msg"] for one in caught.value.errors()}


async def test_input_gives_the_value_of_the_execution_s_input() -> None:
    result = await run_node(INPUT, {"input_name": "city"}, inputs={"city": "Rome"})
    assert result == {"value": "Rome"}


async def test_input_that_is_not_given_takes_its_default_even_null() -> None:
    assert await run_node(INPUT, {"input_name": "n", "default_value": 3}) == {"value": 3}
    assert await run_node(INPUT, {"input_name": "n", "default_value": None}) == {"value": None}
    assert await run_node(INPUT, {"input_name": "n", "required": False}) == {"value": None}


async def test_input_that_is_required_and_missing_fails_for_good() -> None:
    with pytest.raises(NodeError, match="'city' was not given") as caught:
        await run_node(INPUT, {"inputName": "city"})
    assert (caught.value.code, caught.value.retryable) == ("missing_input", False)


@pytest.mark.parametrize(
    ("input_type", "fits", "does_not"),
    [
        ("string", ["", "a"], [1, None, True, []]),
        ("text", ["a"], [{}]),
        ("number", [1, 1.5], ["1", True]),
        ("integer", [1, 5.0, 10**30], [1.5, True, "1"]),
        ("boolean", [True, False], [0, 1, "true"]),
        ("object", [{}], [[], "{}"]),
        ("array", [[]], [{}, "[]"]),
        ("any", [None, 1, "a", [], {}], []),
        ("json", [None, 1, "a", [], {}], []),
    ],
)
async def test_input_checks_the_json_type(
    input_type: str, fits: list[Any], does_not: list[Any]
) -> None:
    config = {"input_name": "x", "input_type": input_type}
    for value in fits:
        assert await run_node(INPUT, config, inputs={"x": value}) == {"value": value}
    for value in does_not:
        with pytest.raises(NodeError, match=f"must be of type {input_type}") as caught:
            await run_node(INPUT, config, inputs={"x": value})
        assert (caught.value.code, caught.value.retryable) == ("invalid_input", False)


async def test_output_gives_its_name_and_value() -> None:
    result = await run_node(OUTPUT, {"outputName": "sum", "value": [1]})
    assert result == {"name": "sum", "value": [1]}
    assert set(problems(OUTPUT, {})) == {"output_name", "value"}


@pytest.mark.parametrize(
    ("value", "outputs"),
    [({"a": 1}, {"a": 1}), ([1], {"value": [1]}), (None, {"value": None}), ("x", {"value": "x"})],
)
async def test_transform_gives_an_object_as_it_is_and_wraps_the_rest(
    value: Any, outputs: dict[str, Any]
) -> None:
    assert await run_node(TRANSFORM, {"value": value}) == outputs


async def test_loop_opens_one_scope_for_each_item() -> None:
    assert await run_node(LOOP, {"items": ["a", "b"], "body": BODY}) == Expanded(
        [{"item": "a", "index": 0}, {"item": "b", "index": 1}]
    )
    named = {"items": [1], "body": BODY, "itemVariable": "row", "index_variable": "at"}
    assert await run_node(LOOP, named) == Expanded([{"row": 1, "at": 0}])
    assert await run_node(LOOP, {"items": [], "body": BODY}) == Expanded([])


def test_loop_refuses_what_it_cannot_go_through() -> None:
    assert "must be a list, not object" in problems(LOOP, {"items": {}, "body": BODY})["items"]
    assert "must be a list, not text" in problems(LOOP, {"items": "ab", "body": BODY})["items"]
    too_many = {"items": [0] * (MAX_ITEMS + 1), "body": BODY}
    assert "at most 10000" in problems(LOOP, too_many)["items"]


def test_loop_refuses_names_that_expressions_cannot_use() -> None:
    config = {"items": [], "body": BODY, "item_variable": "the row"}
    assert "a name that expressions can use" in problems(LOOP, config)["item_variable"]
    same = {"items": [], "body": BODY, "item_variable": "index"}
    assert "must differ" in problems(LOOP, same)[""]


def test_loop_keeps_its_body_unrendered_and_its_scopes_free_of_secrets() -> None:
    assert LOOP.raw_fields == {"body"}
    assert not LOOP.spec.allows_secrets
    assert not WORKFLOW.spec.allows_secrets


async def test_workflow_opens_one_scope_with_the_inputs() -> None:
    config = {"workflowId": "wf_1", "inputs": {"a": 1}}
    assert await run_node(WORKFLOW, config) == Expanded([{"a": 1}])
    assert await run_node(WORKFLOW, {"workflow_id": "wf_1"}) == Expanded([{}])


async def test_wait_ends_after_its_time_and_not_before() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert await run_node(WAIT, {"duration_ms": 30}) == {"duration_ms": 30}
    assert loop.time() - before >= 0.029
    assert set(problems(WAIT, {"duration_ms": 24 * 3_600_000 + 1})) == {"duration_ms"}


async def test_wait_can_be_cancelled() -> None:
    waiting = asyncio.ensure_future(run_node(WAIT, {"duration_ms": 3_600_000}))
    await asyncio.wait({waiting}, timeout=0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_every_config_accepts_an_output_variable_and_ignores_unknown_keys() -> None:
    config = TRANSFORM.spec.config_model.model_validate(
        {"value": 1, "outputVariable": "x", "colour": "red"}
    )
    assert config.model_dump() == {"value": 1, "output_variable": "x"}
