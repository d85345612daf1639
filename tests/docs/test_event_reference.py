"""``docs/events.md`` has every event with its fields, and every error code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowmaestro import workflow
from flowmaestro.api.routes.parameters import EVENTS_PARAMETERS
from flowmaestro.api.stream.query import DEFAULT_LIMIT, MAX_LIMIT, MAX_WAIT_SECONDS
from flowmaestro.events import EXTENSION_TYPES, decode_event
from tests.support.docs_pages import DOCS, ROOT, Block, blocks_of, code_in, rows, section

PAGE = DOCS / "events.md"
EVENTS: dict[str, dict[str, Any]] = {
    event["type"]: event
    for event in json.loads((ROOT / "protocol/vectors/events.json").read_text())["events"]
}
EXAMPLES = [block for block in blocks_of(PAGE) if block.role == "event"]
EVERY_EVENT_HAS = {"type", "execution_id", "timestamp"}


def test_every_event_has_a_section_in_its_place() -> None:
    shown = {
        heading: re.findall(r"^### `([a-z:]+)`$", section(PAGE, heading), re.MULTILINE)
        for heading in ("The events", "Extension events")
    }
    assert set(shown["The events"]) == EVENTS.keys() - EXTENSION_TYPES
    assert set(shown["Extension events"]) == EXTENSION_TYPES


@pytest.mark.parametrize("type_", EVENTS)
def test_the_table_of_an_event_has_its_fields(type_: str) -> None:
    fields = [code for row in rows(section(PAGE, f"`{type_}`")) for code in code_in(row[0])]
    event = EVENTS[type_]
    assert len(fields) == len(set(fields))
    assert set(fields) == {*event["required"], *event["optional"]} - EVERY_EVENT_HAS


@pytest.mark.parametrize("block", [pytest.param(block, id=block.place) for block in EXAMPLES])
def test_an_example_is_an_event_of_its_section(block: Block) -> None:
    document = json.loads(block.text)
    event = EVENTS[document["type"]]
    assert block.text.strip() in section(PAGE, f"`{document['type']}`")
    assert set(document) == {*event["required"], *event["optional"]}
    assert not decode_event(block.text).model_extra


def test_there_is_an_example_of_every_event() -> None:
    assert {json.loads(block.text)["type"] for block in EXAMPLES} == set(EVENTS)


def test_the_parameters_of_the_stream_are_all_there() -> None:
    codes = code_in(section(PAGE, "The stream"))
    assert {parameter["name"] for parameter in EVENTS_PARAMETERS} <= set(codes)
    text = section(PAGE, "The stream")
    assert f"1 to {MAX_LIMIT}, by default {DEFAULT_LIMIT}" in text
    assert f"0 to {MAX_WAIT_SECONDS:.0f}" in text


def test_every_error_code_of_a_node_is_listed() -> None:
    listed = [code for row in rows(section(PAGE, "Error codes")) for code in code_in(row[0])]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(_error_codes())


def _error_codes() -> Iterator[str]:
    """The codes that nodes and the engine fail with, read off the calls that make failures."""
    failures = {"NodeError", "Failed", "FailNode", "FailExecution", "ExecutionFailed", "RetryNode"}
    for folder in ("nodes", "engine", "workflow"):
        for path in (ROOT / "src/flowmaestro" / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and (
                    _name(call.func) in failures or _calls_its_base(call, path)
                ):
                    yield from _codes_among(call)


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def _calls_its_base(call: ast.Call, path: Path) -> bool:
    """``super().__init__(…, code=…)`` of a subclass of ``NodeError``."""
    return _name(call.func) == "__init__" and any(word.arg == "code" for word in call.keywords)


def _codes_among(call: ast.Call) -> Iterator[str]:
    named = [word.value for word in call.keywords if word.arg in ("code", "error_code")]
    for value in (*call.args[1:], *named):
        text = value.value if isinstance(value, ast.Constant) else None
        if isinstance(value, ast.Name):
            text = getattr(workflow, value.id, None)
        if isinstance(text, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", text):
            yield text
