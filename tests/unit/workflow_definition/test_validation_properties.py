"""Whatever it is given, validation answers with a definition or with problems."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowmaestro.workflow.problems import InvalidDefinition, Problem
from flowmaestro.workflow.validation import validate
from tests.support.workflow_definition import chain, make_catalog, value_node

WORDS = """name nodes edges type config source target source_handle sourceHandle retry entryPoint
settings body items value on_error a"""
KEYS = st.sampled_from(WORDS.split())
TEXTS = st.one_of(
    st.text(),
    st.sampled_from(["a", "b", "fetch", "value", "loop", "choose", "ways", "input", "broken"]),
    st.sampled_from(["{{ a }}", "{{ nodes['q'] }}", "{{ ", "{% x %}", "{{ secrets }}", "{# #}"]),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.just("\ud800")
    | st.binary()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=5)
    ),
    max_leaves=30,
)

VALID: dict[str, Any] = {
    "name": "valid",
    "entry_point": "a",
    "nodes": {
        "a": {
            "type": "fetch",
            "config": {"url": "{{ x }}", "header_list": [{"header_name": "h"}]},
            "retry": {"max_attempts": 2, "backoff": "fixed"},
            "on_error": {"strategy": "fallback", "fallback_value": 1},
        },
        "b": {"type": "choose", "config": {"expression": "a.x > 1"}},
        "c": {
            "type": "loop",
            "config": {"items": "{{ a.y }}", "body": {"nodes": {"d": value_node("{{ item }}")}}},
        },
        "e": {"type": "workflow", "config": {"workflow_id": "w", "inputs": {"z": "{{ a }}"}}},
    },
    "edges": [
        *chain("a", "b", "c"),
        {"source": "b", "target": "e", "source_handle": "false"},
    ],
    "settings": {"timeout_ms": 1_000, "max_concurrent_nodes": 3},
}


def check(document: object) -> None:
    definition = None
    problems: tuple[Problem, ...] = ()
    try:
        definition = validate(document, make_catalog())
    except InvalidDefinition as error:
        problems = error.problems
    if definition is None:
        assert problems
        for problem in problems:
            assert problem.message[-1] in ".?…"
            assert isinstance(f"{problem.path}{problem.message}".encode(), bytes)
    else:
        stored = definition.to_document()
        assert validate(stored, make_catalog()).to_document() == stored


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside *value*."""
    found: list[tuple[Any, Any]] = []
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        found.append((value, key))
        if isinstance(child, (dict, list)):
            found.extend(places(child))
    return found


def test_the_valid_example_is_valid() -> None:
    validate(VALID, make_catalog())


@given(VALUES)
def test_any_value_is_answered(document: object) -> None:
    check(document)


@settings(max_examples=300)
@given(st.data())
def test_a_valid_definition_with_faults_is_answered(data: st.DataObject) -> None:
    document = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(document)))
        action = data.draw(st.sampled_from(["replace", "remove", "rename", "copy"]))
        if action == "remove":
            container.pop(key)
        elif action == "rename" and isinstance(container, dict):
            container[data.draw(KEYS | st.text(max_size=5))] = container.pop(key)
        elif action == "copy" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[key] = data.draw(VALUES)
        if not places(document):
            break
    check(document)
