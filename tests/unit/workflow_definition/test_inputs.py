"""The inputs that a workflow declares."""

from __future__ import annotations

from typing import Any

import pytest

from flowmaestro.workflow.definition import Definition
from flowmaestro.workflow.inputs import check_inputs, input_schema


def definition(**inputs: dict[str, Any]) -> Definition:
    nodes = {
        node_id: {"type": "input", "config": {"input_name": node_id, **config}}
        for node_id, config in inputs.items()
    }
    return Definition.from_document({"name": "test", "nodes": nodes, "edges": []})


def test_the_schema_says_what_is_taken() -> None:
    schema = input_schema(
        definition(
            city={"input_type": "text", "description": "Where."},
            days={"input_type": "integer", "default_value": 3},
            options={"input_type": "json", "required": False},
            tags={"input_type": "array", "required": False},
        )
    )

    assert schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where."},
            "days": {"type": ["integer", "null"], "default": 3},
            "options": {},
            "tags": {"type": ["array", "null"]},
        },
        "required": ["city"],
    }


def test_a_workflow_without_input_nodes_takes_anything() -> None:
    plain = Definition.from_document({"name": "x", "nodes": {"a": {"type": "value"}}})

    assert input_schema(plain)["properties"] == {}
    assert check_inputs(plain, {"anything": 1}) == []


def test_required_inputs_are_asked_for() -> None:
    problems = check_inputs(
        definition(a={}, b={"required": False}, c={"default_value": None}), {"other": 1}
    )

    assert [(problem.path, problem.code) for problem in problems] == [("inputs.a", "missing")]
    assert problems[0].message == "The input 'a' is required."


@pytest.mark.parametrize(
    ("input_type", "good", "bad"),
    [
        ("string", ["", "x"], [1, None, True, [], {}]),
        ("text", ["x"], [1]),
        ("number", [1, 1.5], ["1", True, None]),
        ("integer", [1, 5.0], [1.5, True, "1"]),
        ("boolean", [True, False], [0, "true", None]),
        ("object", [{}], [[], "x", None]),
        ("array", [[]], [{}, "x", None]),
        ("list", [[]], [{}]),
        ("json", [None, 1, "x", [], {}], []),
        ("any", [None, 1, "x", [], {}], []),
    ],
)
def test_types_are_checked(input_type: str, good: list[Any], bad: list[Any]) -> None:
    declared = definition(a={"input_type": input_type})

    for value in good:
        assert check_inputs(declared, {"a": value}) == [], value
    for value in bad:
        (problem,) = check_inputs(declared, {"a": value})
        assert (problem.path, problem.code) == ("inputs.a", "invalid_type")


def test_a_value_of_another_type_is_told_what_it_must_be() -> None:
    (problem,) = check_inputs(definition(items={"input_type": "array"}), {"items": 3})

    assert problem.message == "The input 'items' must be a list, not an integer."


def test_an_optional_input_may_be_null() -> None:
    assert (
        check_inputs(definition(a={"input_type": "string", "required": False}), {"a": None}) == []
    )


def test_the_stricter_of_two_declarations_counts() -> None:
    nodes = {
        "one": {"type": "input", "config": {"input_name": "a", "required": False}},
        "two": {"type": "input", "config": {"input_name": "a", "required": True}},
    }
    twice = Definition.from_document({"name": "x", "nodes": nodes})

    assert input_schema(twice)["required"] == ["a"]
