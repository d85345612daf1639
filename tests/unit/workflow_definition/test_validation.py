"""What validation accepts, what it refuses, and how it says so."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from flowmaestro.workflow.definition import RetryPolicy
from flowmaestro.workflow.limits import Limits
from flowmaestro.workflow.problems import InvalidDefinition
from flowmaestro.workflow.validation import validate
from tests.support.workflow_definition import (
    chain,
    found,
    make_catalog,
    problems_of,
    value_node,
    workflow,
)


def message_of(document: object) -> str:
    (problem,) = problems_of(document)
    return problem.message


def test_a_definition_is_read_with_defaults() -> None:
    definition = validate(workflow({"a": value_node()}), make_catalog())

    assert definition.name == "test"
    assert definition.nodes["a"].type == "value"
    assert definition.nodes["a"].retry is None
    assert definition.settings.max_concurrent_nodes == 10
    assert definition.settings.timeout_ms is None


def test_edges_may_be_left_out() -> None:
    assert found({"name": "test", "nodes": {"a": value_node()}}) == []


def test_camel_case_twins_become_snake_case_at_every_known_level() -> None:
    document = {
        "name": "test",
        "entryPoint": "a",
        "settings": {"timeoutMs": 5, "maxConcurrentNodes": 2},
        "nodes": {
            "a": {
                "type": "fetch",
                "timeoutMs": 7,
                "onError": {"strategy": "fallback", "fallbackValue": {"keepMe": 1}},
                "retry": {"maxAttempts": 2, "initialDelayMs": 1, "maxDelayMs": 9},
                "config": {
                    "url": "http://x",
                    "outputVariable": "found",
                    "headerList": [{"headerName": "X", "headerValue": {"keepMe": 1}}],
                    "body": {"userId": 1, "timeoutMs": 3},
                },
            },
            "loopNode": {
                "type": "loop",
                "config": {
                    "items": [{"itemId": 1}],
                    "maxConcurrency": 3,
                    "body": {"nodes": {"x": value_node({"aB": 1}, timeoutMs=4)}},
                },
            },
        },
        "edges": [{"source": "a", "target": "loopNode", "sourceHandle": None}],
    }
    untouched = copy.deepcopy(document)

    stored = validate(document, make_catalog()).to_document()

    assert document == untouched
    assert stored["entry_point"] == "a"
    assert stored["settings"] == {"timeout_ms": 5, "max_concurrent_nodes": 2}
    assert stored["nodes"]["a"] == {
        "type": "fetch",
        "timeout_ms": 7,
        "on_error": {"strategy": "fallback", "fallback_value": {"keepMe": 1}},
        "retry": {"max_attempts": 2, "initial_delay_ms": 1, "max_delay_ms": 9},
        "config": {
            "url": "http://x",
            "output_variable": "found",
            "header_list": [{"header_name": "X", "header_value": {"keepMe": 1}}],
            "body": {"userId": 1, "timeoutMs": 3},
        },
    }
    body = stored["nodes"]["loopNode"]["config"]["body"]
    assert body["nodes"]["x"] == {"type": "value", "config": {"value": {"aB": 1}}, "timeout_ms": 4}
    assert stored["nodes"]["loopNode"]["config"]["items"] == [{"itemId": 1}]


def test_the_stored_document_is_canonical() -> None:
    document = workflow(
        {"a": value_node(position={"x": 1}, icon=None), "b": value_node(retry={"backoff": 2})},
        [{"source": "a", "target": "b", "style": {"stroke": "red"}}],
        viewport={"zoomLevel": 2},
    )
    first = validate(document, make_catalog())
    second = validate(first.to_document(), make_catalog())

    assert second == first
    assert second.to_document() == first.to_document()
    assert first.to_document()["viewport"] == {"zoomLevel": 2}
    assert first.to_document()["edges"][0]["style"] == {"stroke": "red"}
    assert first.to_document()["nodes"]["a"]["position"] == {"x": 1}
    assert first.to_document()["nodes"]["a"]["icon"] is None


def test_null_means_not_given() -> None:
    document = workflow({"a": value_node(retry=None, on_error=None)}, settings=None, edges=None)
    document["edges"] = None

    assert validate(document, make_catalog()).edges == []


def test_a_key_and_its_twin_together_are_a_problem() -> None:
    document = workflow({"a": value_node()}, entryPoint="a", entry_point="a")

    assert found(document) == [("entryPoint", "duplicate")]


@pytest.mark.parametrize("document", [None, 1, "text", [], True])
def test_a_definition_is_an_object(document: object) -> None:
    assert found(document) == [("", "invalid_type")]


def test_all_problems_are_reported_at_once_in_document_order() -> None:
    document = {
        "nodes": {
            "b": {"type": "fetsh"},
            "a": {"type": "fetch", "config": {"ulr": "x", "body": "{{ a + }}"}},
            "c": 7,
        },
        "name": "",
        "edges": [{"source": "a", "target": "x"}, {"source": "a"}],
        "settings": {"timeout_ms": 0, "max_concurrent_nodes": "2"},
    }

    assert found(document) == [
        ("nodes.b.type", "unknown_type"),
        ("nodes.a.config.body", "template"),
        ("nodes.a.config.url", "missing"),
        ("nodes.c", "invalid_type"),
        ("name", "missing"),
        ("edges[0].target", "unknown_node"),
        ("edges[1].target", "missing"),
        ("settings.timeout_ms", "invalid_value"),
        ("settings.max_concurrent_nodes", "invalid_type"),
    ]


def test_messages_help() -> None:
    assert message_of(workflow({"a": {"type": "fetsh"}})) == (
        "There is no node type 'fetsh'. Did you mean 'fetch'?"
    )
    assert "There are 'broken', 'choose'" in message_of(workflow({"a": {"type": "zzzzz"}}))
    assert message_of(workflow({"a": {"type": "fetch", "config": {"ulr": "http://"}}})) == (
        "'url' is required. There is 'ulr': is it meant?"
    )
    assert message_of(workflow({"a": {"type": "fetch", "config": {"url": 3}}})) == (
        "'url' should be a valid string, not an integer."
    )
    assert message_of(workflow({"a": {"type": "fetch", "config": {"url": "ftp:"}}})) == (
        "'url' must begin with http."
    )
    assert message_of(workflow({"abc": value_node()}, [{"source": "abd", "target": "abc"}])) == (
        "'source' is 'abd', and there is no such node. Did you mean 'abc'?"
    )
    assert message_of(workflow({"a": value_node()}, on_error=3, edges="a")) == (
        "'edges' is a list, not text."
    )


@pytest.mark.parametrize("nodes", [None, {}, [], "x", [{"id": "a"}]])
def test_there_must_be_nodes(nodes: Any) -> None:
    (problem,) = problems_of(workflow(nodes))

    assert problem.path == "nodes"


@pytest.mark.parametrize("node_id", ["", "a.b", "a[0]", "]", " a", "a\n", "x" * 101])
def test_ids_that_would_break_a_path_are_refused(node_id: str) -> None:
    (problem,) = problems_of(workflow({node_id: value_node()}))

    assert problem.code == "invalid_id"


@pytest.mark.parametrize("node_id", ["a", "any-id", "Größe", "two words", "1", "x" * 100])
def test_other_ids_are_fine(node_id: str) -> None:
    assert found(workflow({node_id: value_node()})) == []


class TestShape:
    def test_a_cycle_is_named_once(self) -> None:
        nodes = {name: value_node() for name in "abcde"}
        edges = chain("a", "b", "c", "d", "b") + chain("d", "e")

        (problem,) = problems_of(workflow(nodes, edges))

        assert problem.path == "edges[3]"
        assert "'b' → 'c' → 'd' → 'b'" in problem.message

    def test_two_cycles_are_two_problems(self) -> None:
        nodes = {name: value_node() for name in "abcd"}

        assert found(workflow(nodes, chain("a", "b", "a") + chain("c", "d", "c"))) == [
            ("edges[1]", "cycle"),
            ("edges[3]", "cycle"),
        ]

    def test_an_edge_to_itself_and_a_second_edge_are_refused(self) -> None:
        nodes = {name: value_node() for name in "ab"}

        assert found(workflow(nodes, chain("a", "b") + chain("a", "a") + chain("a", "b"))) == [
            ("edges[1]", "cycle"),
            ("edges[2]", "duplicate"),
        ]

    def test_edges_by_different_handles_are_not_duplicates(self) -> None:
        nodes = {"a": {"type": "choose", "config": {"expression": "x"}}, "b": value_node()}
        edges = [
            {"source": "a", "target": "b", "source_handle": "true"},
            {"source": "a", "target": "b", "source_handle": "false"},
        ]

        assert found(workflow(nodes, edges)) == []

    def test_nodes_that_the_entry_point_does_not_lead_to_are_unreachable(self) -> None:
        nodes = {name: value_node() for name in "abcd"}

        assert found(workflow(nodes, chain("a", "b") + chain("c", "d"), entry_point="a")) == [
            ("nodes.c", "unreachable"),
            ("nodes.d", "unreachable"),
        ]
        assert found(workflow(nodes, chain("a", "b") + chain("c", "d"))) == []

    def test_a_broken_edge_does_not_make_what_is_behind_it_unreachable(self) -> None:
        nodes = {name: value_node() for name in "ab"}
        document = workflow(nodes, [{"source": "a", "target": "bb"}], entry_point="a")

        assert found(document) == [("edges[0].target", "unknown_node")]

    def test_the_entry_point_exists_and_nothing_leads_to_it(self) -> None:
        nodes = {name: value_node() for name in "ab"}

        assert found(workflow(nodes, chain("a", "b"), entry_point="c")) == [
            ("entry_point", "entry_point")
        ]
        assert found(workflow(nodes, chain("a", "b"), entry_point="b")) == [
            ("nodes.a", "unreachable"),
            ("entry_point", "entry_point"),
        ]

    def test_a_long_chain_needs_no_recursion(self) -> None:
        ids = [f"n{index}" for index in range(1_000)]

        assert found(workflow({node_id: value_node() for node_id in ids}, chain(*ids))) == []
        (problem,) = problems_of(
            workflow({node_id: value_node() for node_id in ids}, chain(*ids, "n0"))
        )
        assert problem.code == "cycle"


class TestHandles:
    def test_an_edge_leaves_by_a_handle_of_its_node(self) -> None:
        nodes = {
            "choice": {"type": "choose", "config": {"expression": "x"}},
            "a": value_node(),
            "b": value_node(),
        }
        edges = [
            {"source": "choice", "target": "a", "source_handle": "True"},
            {"source": "a", "target": "b", "source_handle": "true"},
        ]

        first, second = problems_of(workflow(nodes, edges))

        assert first.path == "edges[0].source_handle"
        assert "its handles are 'true', 'false'" in first.message
        assert "it has one way out" in second.message

    @pytest.mark.parametrize("value", [["{{ x }}"], 3, None])
    def test_handles_that_cannot_be_told_are_not_checked(self, value: Any) -> None:
        nodes = {"w": {"type": "ways", "config": {"value": value}}, "a": value_node()}
        edges = [{"source": "w", "target": "a", "source_handle": "x"}]

        assert found(workflow(nodes, edges)) == []


class TestConfig:
    def test_a_template_is_typed_when_it_is_rendered(self) -> None:
        config = {"url": "{{ base }}/x", "timeout_ms": "{{ t }}", "header_list": "{{ all }}"}

        assert found(workflow({"a": {"type": "fetch", "config": config}})) == []

    def test_what_is_no_template_is_checked_beside_one(self) -> None:
        config = {"url": "{{ base }}", "timeout_ms": "soon"}

        assert found(workflow({"a": {"type": "fetch", "config": config}})) == [
            ("nodes.a.config.timeout_ms", "invalid_value")
        ]

    def test_a_fault_deep_inside_has_its_path(self) -> None:
        config = {"url": "http://x", "headerList": [{"headerName": "x"}, {"headerValue": 1}]}

        assert found(workflow({"a": {"type": "fetch", "config": config}})) == [
            ("nodes.a.config.header_list[1].header_name", "missing")
        ]

    def test_templates_are_found_in_any_value(self) -> None:
        value = {"x.y": [1, {"deep": "{{ 1 + }}"}], "ok": "{{ 1 }}"}

        assert found(workflow({"a": value_node(value)})) == [
            ("nodes.a.config.value['x.y'][1].deep", "template")
        ]

    def test_a_bare_expression_is_checked(self) -> None:
        def choose(expression: str) -> dict[str, Any]:
            return workflow({"a": {"type": "choose", "config": {"expression": expression}}})

        assert found(choose("a > 1")) == found(choose("{{ a > 1 }}")) == []
        assert found(choose("a >")) == [("nodes.a.config.expression", "template")]
        assert found(choose("{{ a }} > {{ b }}")) == [("nodes.a.config.expression", "template")]

    def test_unknown_nodes_in_expressions_are_found(self) -> None:
        nodes = {"any-id": value_node(), "b": value_node("{{ nodes['any-di'].x }} {{ free }}")}

        (problem,) = problems_of(workflow(nodes, chain("any-id", "b")))

        assert problem.path == "nodes.b.config.value"
        assert problem.message.endswith("does not exist. Did you mean 'any-id'?")

    def test_a_body_sees_the_nodes_around_it(self) -> None:
        def loop(value: str) -> dict[str, Any]:
            body = {
                "nodes": {"first": value_node(), "inner": value_node(value)},
                "edges": chain("first", "inner"),
            }
            config = {"items": [1], "body": body}
            nodes = {"a": value_node(), "l": {"type": "loop", "config": config}}
            return workflow(nodes, chain("a", "l"))

        assert found(loop("{{ nodes.a.x }} {{ nodes.first.x }} {{ a.x }} {{ first.x }}")) == []
        assert found(loop("{{ nodes.z.x }}")) == [
            ("nodes.l.config.body.nodes.inner.config.value", "unknown_node")
        ]

    def test_an_inner_node_is_not_seen_from_outside(self) -> None:
        config = {"items": [1], "body": {"nodes": {"inner": value_node()}}}
        nodes = {"l": {"type": "loop", "config": config}, "a": value_node("{{ nodes.inner }}")}

        assert found(workflow(nodes)) == [("nodes.a.config.value", "unknown_node")]

    def test_secrets_stay_out_of_what_is_recorded(self) -> None:
        loop = {
            "type": "loop",
            "config": {
                "items": ["{{ secrets.KEY }}"],
                "body": {"nodes": {"x": value_node("{{ secrets.KEY }}")}},
            },
        }
        call = {
            "type": "workflow",
            "config": {"workflow_id": "w", "inputs": {"k": "{{ secrets }}"}},
        }

        assert found(workflow({"a": value_node("{{ secrets.KEY }}"), "l": loop, "c": call})) == [
            ("nodes.l.config.items[0]", "secret"),
            ("nodes.c.config.inputs.k", "secret"),
        ]

    def test_secrets_are_named(self) -> None:
        assert found(workflow({"a": value_node("{{ secrets|tojson }}")})) == [
            ("nodes.a.config.value", "secret")
        ]

    def test_names_are_no_templates(self) -> None:
        nodes = {
            "a": {"type": "input", "config": {"input_name": "{{ x }}"}},
            "b": {"type": "workflow", "config": {"workflow_id": "{{ x }}"}},
            "c": {"type": "value", "config": {"value": 1, "output_variable": "{{ x }}"}},
        }

        assert found(workflow(nodes)) == [
            ("nodes.a.config.input_name", "template"),
            ("nodes.b.config.workflow_id", "template"),
            ("nodes.c.config.output_variable", "template"),
        ]

    @pytest.mark.parametrize("name", ["1a", "a-b", "a b", "none", "nodes", "secrets", "inputs"])
    def test_a_variable_needs_a_name_that_expressions_can_say(self, name: str) -> None:
        config = {"value": 1, "output_variable": name}

        assert found(workflow({"a": {"type": "value", "config": config}})) == [
            ("nodes.a.config.output_variable", "invalid_value")
        ]

    def test_a_container_is_not_retried(self) -> None:
        loop = {
            "type": "loop",
            "config": {"items": [1], "body": {"nodes": {"x": value_node(retry={})}}},
            "retry": {"max_attempts": 2},
        }

        (problem,) = problems_of(workflow({"l": loop}))

        assert problem.path == "nodes.l.retry"
        assert "on the nodes that it runs" in problem.message

    def test_a_called_workflow_must_be_known_where_that_can_be_told(self) -> None:
        document = workflow({"a": {"type": "workflow", "config": {"workflow_id": "wf_on"}}})

        assert found(document) == []
        assert found(document, known_workflows={"wf_on"}) == []
        (problem,) = problems_of(document, known_workflows={"wf_one"})
        assert problem.message == "There is no workflow 'wf_on'. Did you mean 'wf_one'?"

    def test_an_authors_check_that_fails_is_a_problem_and_no_error(self) -> None:
        document = workflow(
            {"a": {"type": "broken", "config": {"value": 1}}, "b": value_node()},
            [{"source": "a", "target": "b", "source_handle": "x"}],
        )

        assert found(document) == [("nodes.a.config", "invalid_value")]

    def test_a_body_is_checked_like_a_definition(self) -> None:
        body = {
            "nodes": {"x": {"type": "nope"}, "y": value_node()},
            "edges": chain("x", "y", "x"),
            "entry_point": "z",
        }
        document = workflow({"l": {"type": "loop", "config": {"items": [], "body": body}}})

        assert found(document) == [
            ("nodes.l.config.body.nodes.x.type", "unknown_type"),
            ("nodes.l.config.body.edges[1]", "cycle"),
            ("nodes.l.config.body.entry_point", "entry_point"),
        ]


class TestRetryPolicy:
    @pytest.mark.parametrize("backoff", ["fixed", "linear", "exponential", 1, 1.5, 10])
    def test_backoff_is_a_word_or_a_factor(self, backoff: Any) -> None:
        definition = validate(
            workflow({"a": value_node(retry={"backoff": backoff})}), make_catalog()
        )

        assert definition.nodes["a"].retry == RetryPolicy(backoff=backoff)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("backoff", 0.5),
            ("backoff", 11),
            ("backoff", True),
            ("backoff", "2"),
            ("backoff", None),
            ("max_attempts", 0),
            ("max_attempts", 101),
            ("max_attempts", "3"),
            ("max_attempts", True),
            ("initial_delay_ms", -1),
            ("max_delay_ms", 10**12),
        ],
    )
    def test_bounds(self, field: str, value: Any) -> None:
        problems = found(workflow({"a": value_node(retry={field: value})}))

        if value is None:
            assert problems == []
        else:
            assert [path for path, _ in problems] == [f"nodes.a.retry.{field}"]


class TestSpelling:
    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            ("methd", "method"),
            ("Method", "method"),
            ("timeout", "timeout_ms"),
            ("headerlist", "header_list"),
            ("outputVariabel", "output_variable"),
        ],
    )
    def test_a_key_that_is_nearly_a_field_is_a_problem(self, key: str, meant: str) -> None:
        config = {"url": "http://x", key: "POST"}

        (problem,) = problems_of(workflow({"a": {"type": "fetch", "config": config}}))

        assert (problem.path, problem.code) == (f"nodes.a.config.{key}", "unknown_field")
        assert problem.message == f"There is no field '{key}'. Did you mean '{meant}'?"

    def test_another_word_is_none(self) -> None:
        assert (
            found(workflow({"a": {"type": "value", "config": {"value": 1, "input_variable": 1}}}))
            == []
        )

    def test_it_is_none_if_the_field_is_given_too(self) -> None:
        config = {"url": "http://x", "method": "POST", "methods": ["GET", "POST"]}

        assert found(workflow({"a": {"type": "fetch", "config": config}})) == []

    def test_the_rest_of_the_document_is_looked_at_too(self) -> None:
        nodes = {
            "a": value_node(retrys={}, retry={"max_attempt": 2}),
            "b": {
                "type": "fetch",
                "config": {
                    "url": "http://x",
                    "header_list": [{"header_name": "X", "headerValu": 1}],
                    "body": {"methd": 1},
                },
            },
        }
        document = workflow(nodes, setting={"timeout_ms": 5}, settings={"timeout": 5})

        assert found(document) == [
            ("nodes.a.retry.max_attempt", "unknown_field"),
            ("nodes.b.config.header_list[0].headerValu", "unknown_field"),
            ("settings.timeout", "unknown_field"),
        ]

    def test_what_a_canvas_keeps_is_no_misspelling(self) -> None:
        canvas = ("position", "style", "icon", "label", "width", "height", "selected", "data")
        keys: dict[str, Any] = dict.fromkeys((*canvas, "className", "positionAbsolute"), 1)
        edge_keys = dict.fromkeys((*canvas, "targetHandle", "animated", "markerEnd", "sourceX"), 1)
        nodes = {
            "a": {"type": "fetch", "config": {"url": "http://x", **keys}, **keys},
            "b": value_node(),
        }
        edges = [{"source": "a", "target": "b", **edge_keys}]

        assert found(workflow(nodes, edges, viewport={}, version=2, tags=[], **keys)) == []


class TestOrder:
    """Expressions refer to nodes that run before."""

    @staticmethod
    def using(text: str, edges: Any = None, **nodes: Any) -> dict[str, Any]:
        return workflow({"slow": value_node(), "b": value_node(text), **nodes}, edges)

    @pytest.mark.parametrize("text", ["{{ nodes['slow'].x }}", "{{ nodes.slow }}", "{{ slow.x }}"])
    def test_a_node_that_does_not_lead_here_is_a_problem(self, text: str) -> None:
        (problem,) = problems_of(self.using(text))

        assert (problem.path, problem.code) == ("nodes.b.config.value", "not_before")
        assert problem.message.startswith(
            "The expression refers to 'slow', which does not run before 'b': add a path of edges"
        )
        assert ("'inputs.slow'" in problem.message) is ("nodes" not in text)
        assert found(self.using(text, chain("b", "slow"))) == [
            ("nodes.b.config.value", problem.code)
        ]
        assert found(self.using(text, chain("slow", "b"))) == []
        assert found(self.using(text, chain("slow", "c", "b"), c=value_node())) == []

    @pytest.mark.parametrize(
        "text",
        [
            "{{ slow | default(1) }}",
            "{{ slow.x | default(1) }}",
            "{{ slow.x if slow is defined else 1 }}",
            "{{ inputs.slow }}",
            "{{ other.slow }}",
            "{{ b }}",
        ],
    )
    def test_what_may_be_meant_otherwise_is_none(self, text: str) -> None:
        assert found(self.using(text)) == []

    @pytest.mark.parametrize(
        ("type_", "config"),
        [
            ("value", {"value": 1, "output_variable": "slow"}),
            ("value", {"value": 1, "outputVariable": "slow"}),
            ("input", {"input_name": "slow"}),
            ("input", {"input_name": "x", "input_variable": "slow"}),
        ],
    )
    def test_a_name_that_is_also_declared_is_none(self, type_: str, config: Any) -> None:
        other = {"type": type_, "config": config}

        assert found(self.using("{{ slow }}", c=other)) == []
        assert found(self.using("{{ nodes.slow }}", c=other)) == [
            ("nodes.b.config.value", "not_before")
        ]

    def test_a_node_is_not_there_for_itself(self) -> None:
        (problem,) = problems_of(workflow({"a": value_node("{{ nodes.a.x }}")}))

        assert "whose outputs are not there before it has run" in problem.message

    def test_a_body_sees_what_leads_to_its_loop(self) -> None:
        def loop(text: str, *edges: Any, **config: Any) -> dict[str, Any]:
            body = {"nodes": {"inner": value_node(text), "beside": value_node()}}
            each = {"type": "loop", "config": {"items": [], "body": body, **config}}
            nodes = {"a": value_node(), "index": value_node(), "each": each}
            return workflow(nodes, list(edges))

        place = "nodes.each.config.body.nodes.inner.config.value"
        (problem,) = problems_of(loop("{{ a.x }}"))
        assert problem.path == place
        assert "'a', which does not run before 'each'" in problem.message
        assert found(loop("{{ a.x }}", *chain("a", "each"))) == []
        assert found(loop("{{ beside.x }}")) == [(place, "not_before")]
        assert found(loop("{{ nodes.each.results }}")) == [(place, "not_before")]
        assert found(loop("{{ index }}")) == [(place, "not_before")]
        assert found(loop("{{ index }}", index_variable="index")) == []
        assert found(loop("{{ a }}", item_variable="a")) == []

    def test_the_nearest_node_that_has_run_is_meant(self) -> None:
        body = {"nodes": {"a": value_node(), "inner": value_node("{{ a.x }}")}}
        each = {"type": "loop", "config": {"items": [], "body": body}}

        assert found(workflow({"a": value_node(), "each": each}, chain("a", "each"))) == []

    @pytest.mark.parametrize(
        "edges",
        [
            [{"source": "slwo", "target": "b"}],
            [{"source": "slow"}],
            [7],
            chain("slow", "c", "slow"),
            chain("b", "c", "b"),
        ],
    )
    def test_edges_that_are_wrong_are_no_second_problem_here(self, edges: Any) -> None:
        document = self.using("{{ slow.x }}", edges, c=value_node())
        codes = {code for _, code in found(document)}

        assert codes
        assert ("not_before" in codes) is (edges == chain("slow", "c", "slow"))

    def test_a_large_graph_is_checked_in_no_time(self) -> None:
        ids = [f"n{index}" for index in range(1_000)]
        nodes = {node_id: value_node("{{ n0.x }}" if node_id != "n0" else 1) for node_id in ids}
        edges = [
            {"source": ids[index - step], "target": ids[index]}
            for index in range(1_000)
            for step in range(1, 11)
            if index >= step
        ]

        assert found(workflow(nodes, edges)) == []


def test_templates_of_a_node_of_unknown_type_are_checked_too() -> None:
    config = {
        "value": ["{{ 1 + }}", "{{ nodes.nobody }}", "{{ other.x }}"],
        "body": {"nodes": {"x": value_node("{{ nodes.inner }} {{ a. }}")}},
    }
    nodes = {"a": {"type": "lop", "config": config}, "other": value_node()}

    assert found(workflow(nodes)) == [
        ("nodes.a.type", "unknown_type"),
        ("nodes.a.config.value[0]", "template"),
        ("nodes.a.config.value[1]", "unknown_node"),
        ("nodes.a.config.value[2]", "not_before"),
        ("nodes.a.config.body.nodes.x.config.value", "template"),
    ]


class TestLimits:
    def test_nodes_are_counted_with_those_of_bodies(self) -> None:
        body = {"nodes": {"x": value_node(), "y": value_node()}}
        document = workflow(
            {"a": value_node(), "l": {"type": "loop", "config": {"items": [], "body": body}}}
        )

        assert found(document, limits=Limits(max_nodes=4)) == []
        assert found(document, limits=Limits(max_nodes=3)) == [
            ("nodes.l.config.body.nodes", "limit")
        ]

    def test_bodies_nest_so_deep(self) -> None:
        def nested(depth: int) -> dict[str, Any]:
            if depth == 0:
                return {"nodes": {"x": value_node()}}
            config = {"items": [], "body": nested(depth - 1)}
            return {"nodes": {"l": {"type": "loop", "config": config}}}

        assert found({"name": "test", **nested(8)}) == []
        ((path, code),) = found({"name": "test", **nested(9)})
        assert code == "limit"
        assert path.endswith(".body")

    def test_values_nest_so_deep(self) -> None:
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]

        assert [code for _, code in found(workflow({"a": value_node(deep)}))] == ["limit"]

    def test_a_value_that_holds_itself_is_refused(self) -> None:
        itself: list[Any] = []
        itself.append(itself)

        assert [code for _, code in found(itself)] == ["limit"]

    def test_a_value_that_is_many_times_the_same_is_counted_as_often(self) -> None:
        value: Any = "lol"
        for _ in range(12):
            value = [value] * 10

        assert [code for _, code in found(workflow({"a": value_node(value)}))] == ["limit"]

    def test_lengths_and_counts(self) -> None:
        limits = Limits(max_name_length=5, max_description_length=5, max_edges=1)
        nodes = {"a": value_node(name="123456"), "b": value_node(), "c": value_node()}
        document = workflow(nodes, chain("a", "b", "c"), description="123456")

        assert found(document, limits=limits) == [
            ("nodes.a.name", "limit"),
            ("edges", "limit"),
            ("description", "limit"),
        ]

    def test_expressions_are_counted(self) -> None:
        document = workflow({"a": value_node(["{{ 1 }}{{ 2 }}", "{{ 3 }}"])})

        assert found(document, limits=Limits(max_expressions=3)) == []
        assert found(document, limits=Limits(max_expressions=2)) == [("", "limit")]

    @pytest.mark.parametrize("end", ["}}", ""])
    def test_the_characters_of_expressions_are_counted(self, end: str) -> None:
        text = "{{ [" + "1," * 4_900 + "1] " + end
        document = workflow({"a": value_node([text + " " * index for index in range(4)])})

        assert ("", "limit") in found(document, limits=Limits(max_expression_characters=20_000))
        prompt = workflow({"a": value_node("{{ x }}" + "long text " * 10_000)})
        assert found(prompt, limits=Limits(max_expression_characters=20_000)) == []

    def test_a_document_full_of_faults_has_a_bounded_answer(self) -> None:
        nodes = {f"n{index}": {"type": f"typo{index}"} for index in range(1_000)}
        edges = [{"source": f"x{index}", "target": f"y{index}"} for index in range(5_000)]

        problems = problems_of(workflow(nodes, edges), limits=Limits(max_problems=100))

        assert len(problems) == 101
        assert problems[-1].message == "10,900 more problems are not listed."

    @pytest.mark.parametrize("key", ["A" * 300_000, "aB" * 150_000, "_" * 300_000])
    def test_a_long_unknown_key_costs_no_more_than_its_length(self, key: str) -> None:
        # Turned to snake_case by regular expressions, the first took hours and held everything up.
        assert found(workflow({"a": value_node(**{key: 1})})) == []

    def test_many_unknown_keys_cost_no_more_than_their_number(self) -> None:
        keys = {f"unknown{index}": 1 for index in range(50_000)}

        assert found(workflow({"a": value_node(**keys)})) == []

    @pytest.mark.parametrize(
        "value", [float("nan"), float("inf"), 10**400, "\ud800", b"x", {1: 2}, (1,), object()]
    )
    def test_what_json_cannot_hold_is_refused(self, value: Any) -> None:
        ((path, _),) = found(workflow({"a": value_node(value)}))

        assert path.startswith("nodes.a.config.value")


def test_the_error_reads_as_a_list_of_problems() -> None:
    with pytest.raises(InvalidDefinition) as caught:
        validate({"nodes": {"a": value_node()}, "edges": 1}, make_catalog())

    assert (
        str(caught.value) == "edges: 'edges' is a list, not an integer.\nname: 'name' is required."
    )
