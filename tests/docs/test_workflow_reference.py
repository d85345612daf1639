"""The lists in ``docs/workflows.md`` are the code's."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from flowmaestro.nodes import Registry, Services
from flowmaestro.nodes.builtin.ai_chat import ChatMessage
from flowmaestro.nodes.builtin.router import Route
from flowmaestro.nodes.builtin.switch import Case
from flowmaestro.workflow import Definition, EdgeDefinition, NodeDefinition, RetryPolicy, Settings
from flowmaestro.workflow.expressions import TemplateSyntaxError, compile_template
from flowmaestro.workflow.limits import Limits, RenderLimits
from flowmaestro.workflow.scheduler.retry import delay_ms
from tests.support.docs_pages import DOCS, code_in, first_codes, rows, section

PAGE = DOCS / "workflows.md"
TYPES = {name: type_ for name, type_ in Registry.builtin(Services()).items() if name != "llm"}
EVERY_NODE_HAS = {"output_variable"}


def _known(expression: str) -> set[str]:
    """The names that the message about an unknown one lists."""
    with pytest.raises(TemplateSyntaxError) as unknown:
        compile_template(expression)
    return set(unknown.value.message.split("there are ")[1].rstrip(".").split(", "))


@pytest.mark.parametrize(
    ("heading", "expression"),
    [
        ("Filters", "{{ 1 | nothing_like_it }}"),
        ("Tests", "{{ 1 is nothing_like_it }}"),
        ("Functions", "{{ nothing_like_it() }}"),
    ],
)
def test_the_page_lists_what_expressions_may_call(heading: str, expression: str) -> None:
    listed = [re.split(r"[( ]", code)[0] for code in first_codes(section(PAGE, heading))]
    assert set(listed) == _known(expression)


def test_the_page_lists_the_methods() -> None:
    listed = [code for row in rows(section(PAGE, "Methods")) for code in code_in(row[1])]
    assert set(listed) == _known("{{ 'a'.nothing_like_it() }}")


def test_every_builtin_type_has_a_section() -> None:
    headings = re.findall(r"^### `(\w+)`$", PAGE.read_text(), re.MULTILINE)
    assert set(headings) == set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_the_config_table_of_a_type_is_its_model(name: str) -> None:
    model = TYPES[name].spec.config_model
    table = {code_in(row[0])[0]: row for row in rows(section(PAGE, f"`{name}`"))}
    assert list(table) == sorted(
        model.model_fields.keys() - EVERY_NODE_HAS, key=list(table).index
    ), "the fields"
    for field_name, row in table.items():
        assert code_in(row[1]) == _default(model, field_name), f"the default of {field_name}"


def _default(model: type[BaseModel], name: str) -> list[str]:
    field = model.model_fields[name]
    if field.is_required():
        return []
    default: Any = field.get_default(call_default_factory=True)
    assert default is not PydanticUndefined
    return [json.dumps(default)]


@pytest.mark.parametrize(
    ("name", "model"), [("switch", Case), ("router", Route), ("ai_chat", ChatMessage)]
)
def test_the_fields_of_inner_objects_are_mentioned(name: str, model: type[BaseModel]) -> None:
    assert set(model.model_fields) <= set(code_in(section(PAGE, f"`{name}`")))


@pytest.mark.parametrize(
    ("first", "model"),
    [("name", Definition), ("type", NodeDefinition), ("source", EdgeDefinition)],
)
def test_the_tables_of_the_document_are_its_models(first: str, model: type[BaseModel]) -> None:
    names = first_codes(section(PAGE, "The document"))
    start = names.index(first)
    assert set(names[start : start + len(model.model_fields)]) == set(model.model_fields)


def test_the_settings_and_retry_fields_are_mentioned() -> None:
    limits = code_in(section(PAGE, "Time limits and concurrency"))
    assert {f"settings.{name}" for name in Settings.model_fields} <= set(limits)
    shown = {row[0]: row[1] for row in rows(section(PAGE, "When a node fails"))}
    for name, field in RetryPolicy.model_fields.items():
        assert shown[f"`{name}`"].strip("`") == json.dumps(field.default)


def test_the_waits_between_attempts_are_those_that_follow() -> None:
    waits = {row[0]: row[2] for row in rows(section(PAGE, "When a node fails")) if len(row) == 3}
    policies: dict[str, str | float] = {
        '`"fixed"`': "fixed",
        '`"linear"`': "linear",
        '`"exponential"`': "exponential",
        "a number *f* from 1 to 10, e.g. `3`": 3.0,
    }
    for shown, backoff in policies.items():
        policy = RetryPolicy.model_validate({"backoff": backoff})
        expected = [delay_ms(policy, failures) // 1000 for failures in range(1, 8)]
        assert waits[shown] == ", ".join(map(str, expected))


def test_the_operators_of_conditional_are_all_there() -> None:
    annotation = str(TYPES["conditional"].spec.config_model.model_fields["operator"].annotation)
    operators = set(re.findall(r"'([^']+)'", annotation))
    assert operators
    assert operators <= set(code_in(section(PAGE, "`conditional`")))


def test_the_limits_are_the_codes() -> None:
    limits, render = Limits(), RenderLimits()
    shown = {row[0]: row[1] for row in rows(section(PAGE, "Limits"))}
    assert shown["text"] == f"{limits.max_bytes:,} bytes"
    assert shown["nodes, those of loops' bodies included"] == f"{limits.max_nodes:,}"
    assert shown["edges"] == f"{limits.max_edges:,}"
    assert shown["expressions"] == f"{limits.max_expressions:,}"
    assert shown["loops inside each other"] == str(limits.max_body_depth)
    assert shown["lists and objects inside each other"] == str(limits.max_depth)
    assert shown["a node's id; a name; a description"] == (
        f"{limits.max_id_length}; {limits.max_name_length}; "
        f"{limits.max_description_length:,} characters"
    )
    assert shown["elements visited"] == f"{render.max_steps:,}"
    assert shown["characters and elements made or searched"] == f"{render.max_size:,}"
