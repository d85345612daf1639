"""Readiness, joins, skipping, handles, failures, retries, loops and called workflows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowmaestro.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionProgress,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeStarted,
)
from flowmaestro.workflow import (
    MAX_INTERRUPTIONS,
    Definition,
    FailNode,
    Graph,
    InconsistentLog,
    NodeState,
    RetryNode,
    ScopeNames,
    after_interruption,
    deadlines,
)
from tests.support.simulation import START, Completes, Expands, Fails, Simulation


def graph(nodes: dict[str, Any], *edges: str, **settings: Any) -> Graph:
    """Build a graph; an edge is written ``a > b`` or ``a:handle > b``."""
    parsed = []
    for edge in edges:
        source, target = (part.strip() for part in edge.split(">"))
        source, _, handle = source.partition(":")
        parsed.append(
            {"source": source, "target": target} | ({"source_handle": handle} if handle else {})
        )
    return Graph(
        Definition.from_document(
            {"name": "test", "nodes": nodes, "edges": parsed, "settings": settings}
        )
    )


def work(**fields: Any) -> dict[str, Any]:
    return {"type": "work"} | fields


def loop(body: dict[str, Any], *, max_concurrency: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "type": "loop",
        "config": {"items": [], "body": body, "max_concurrency": max_concurrency},
    } | fields


def always(**outcomes: Any) -> Any:
    """Behave by node id (the last part of the path); nodes not named complete."""

    def behaviour(node: NodeState) -> Any:
        outcome = outcomes.get(node.node.id, Completes({"value": node.path}))
        return outcome(node) if callable(outcome) else outcome

    return behaviour


BODY = {
    "nodes": {"a": {"type": "work"}, "b": {"type": "work"}},
    "edges": [{"source": "a", "target": "b"}],
}


def test_a_node_starts_when_every_edge_into_it_is_settled() -> None:
    joined = graph({name: work() for name in "abcd"}, "a > b", "a > c", "b > d", "c > d")
    simulation = Simulation(joined, always()).run()
    assert simulation.ids("node:started") == ["a", "b", "c", "d"]
    d_starts = simulation.types().index("node:completed")
    assert d_starts >= 0
    completed_before_d = [
        event.node_id
        for event in simulation.log[
            : next(
                i
                for i, e in enumerate(simulation.log)
                if isinstance(e, NodeStarted) and e.node_id == "d"
            )
        ]
        if isinstance(event, NodeCompleted)
    ]
    assert completed_before_d == ["a", "b", "c"]


def test_the_log_of_one_node_is_what_the_event_reference_says() -> None:
    simulation = Simulation(graph({"only": work()}), always()).run()
    assert simulation.types() == [
        "execution:started",
        "node:started",
        "node:completed",
        "execution:progress",
        "execution:completed",
    ]


def test_an_edge_by_another_handle_skips_what_hangs_on_it_alone() -> None:
    routed = graph(
        {name: work() for name in ("if", "yes", "no", "after_no", "join")},
        "if:true > yes", "if:false > no", "no > after_no", "yes > join", "after_no > join",
    )  # fmt: skip
    simulation = Simulation(routed, always(**{"if": Completes({}, "true")})).run()
    assert simulation.ids("node:skipped") == ["no", "after_no"]
    assert simulation.ids("node:completed") == ["if", "yes", "join"]


def test_an_edge_without_handle_is_taken_whatever_the_route() -> None:
    routed = graph({name: work() for name in ("if", "always")}, "if > always")
    simulation = Simulation(routed, always(**{"if": Completes({}, "false")})).run()
    assert simulation.ids("node:completed") == ["if", "always"]


def test_a_failure_ends_the_execution_with_the_node_that_failed() -> None:
    simulation = Simulation(
        graph({"a": work(), "b": work()}, "a > b"), always(a=Fails("no luck"))
    ).run()
    end = simulation.log[-1]
    assert isinstance(end, ExecutionFailed)
    assert (end.failed_node_id, end.error, end.error_code) == ("a", "no luck", "node_error")
    assert "b" not in simulation.ids("node:started")


def test_nothing_starts_after_a_failure() -> None:
    wide = graph({name: work() for name in "abc"}, max_concurrent_nodes=1)
    simulation = Simulation(wide, always(a=Fails())).run()
    assert simulation.ids("node:started") == ["a"]


def test_continue_goes_on_with_the_error_as_outputs() -> None:
    nodes = {"a": work(on_error={"strategy": "continue"}), "b": work()}
    simulation = Simulation(graph(nodes, "a > b"), always(a=Fails("no luck", "bad"))).run()
    assert isinstance(simulation.log[-1], ExecutionCompleted)
    assert simulation.ids("node:failed") == ["a"]
    assert ScopeNames(simulation.state.root)["a"] == {"error": "no luck", "error_code": "bad"}


@pytest.mark.parametrize(
    ("value", "outputs"),
    [({"text": "?"}, {"text": "?"}), (7, {"value": 7}), (None, {"value": None})],
)
def test_fallback_goes_on_with_its_value_as_outputs(value: Any, outputs: dict[str, Any]) -> None:
    nodes = {"a": work(on_error={"strategy": "fallback", "fallback_value": value}), "b": work()}
    simulation = Simulation(graph(nodes, "a > b"), always(a=Fails())).run()
    assert simulation.ids("node:completed") == ["b"]
    assert ScopeNames(simulation.state.root)["a"] == outputs


def test_a_fallback_that_names_a_handle_takes_it() -> None:
    nodes = {
        "if": work(on_error={"strategy": "fallback", "fallback_value": "false"}),
        "yes": work(),
        "no": work(),
    }
    simulation = Simulation(
        graph(nodes, "if:true > yes", "if:false > no"), always(**{"if": Fails()})
    )
    assert simulation.run().ids("node:completed") == ["no"]


def test_a_failed_router_that_continues_takes_its_default_handle() -> None:
    nodes = {"route": work(on_error={"strategy": "continue"}), "a": work(), "other": work()}
    routed = graph(nodes, "route:a > a", "route:default > other")
    assert Simulation(routed, always(route=Fails())).run().ids("node:completed") == ["other"]


def test_retries_wait_longer_each_time_and_end_with_a_success() -> None:
    retry = {"max_attempts": 4, "initial_delay_ms": 100, "backoff": "exponential"}
    simulation = Simulation(
        graph({"a": work(retry=retry)}),
        always(a=lambda node: Fails() if node.attempt < 4 else Completes({})),
    ).run()
    delays = [event.delay_ms for event in simulation.log if isinstance(event, NodeRetrying)]
    assert delays == [100, 200, 400]
    assert "node:failed" not in simulation.types()
    assert isinstance(simulation.log[-1], ExecutionCompleted)


def test_a_node_that_runs_out_of_attempts_fails_once() -> None:
    retry = {"max_attempts": 3, "initial_delay_ms": 1}
    simulation = Simulation(graph({"a": work(retry=retry)}), always(a=Fails())).run()
    failed = [event for event in simulation.log if isinstance(event, NodeFailed)]
    assert [event.attempt for event in failed] == [3]


def test_a_failure_that_cannot_heal_is_not_retried() -> None:
    retry = {"max_attempts": 3, "initial_delay_ms": 1}
    simulation = Simulation(graph({"a": work(retry=retry)}), always(a=Fails(retryable=False))).run()
    assert simulation.ids("node:started") == ["a"]


def test_a_loop_runs_its_body_for_each_item_and_gives_results_in_order() -> None:
    looped = graph({"each": loop(BODY, max_concurrency=2), "after": work()}, "each > after")
    items: list[dict[str, Any]] = [{"item": letter, "index": i} for i, letter in enumerate("xyz")]
    simulation = Simulation(
        looped, always(each=Expands(items)), choose=lambda running: running - 1
    ).run()
    assert {event.node_id for event in simulation.log if isinstance(event, NodeStarted)} == {
        *("each", "after"),
        *(f"each[{index}].{name}" for index in range(3) for name in "ab"),
    }
    outputs = simulation.state.root.outputs["each"]
    assert outputs == {"results": [{"b": {"value": f"each[{index}].b"}} for index in range(3)]}
    assert simulation.state.total_nodes == 8


def test_a_loop_over_nothing_completes_with_no_results() -> None:
    simulation = Simulation(graph({"each": loop(BODY)}), always(each=Expands([]))).run()
    assert simulation.state.root.outputs["each"] == {"results": []}


def test_a_loop_opens_no_more_scopes_than_its_concurrency() -> None:
    looped = graph({"each": loop(BODY, max_concurrency=2)})
    simulation = Simulation(looped, always(each=Expands([{"item": 1}] * 5))).run()
    assert simulation.most_running == 2


def test_a_failed_iteration_fails_its_loop_and_stops_the_others() -> None:
    looped = graph({"each": loop(BODY, max_concurrency=3), "after": work()}, "each > after")
    simulation = Simulation(
        looped, always(each=Expands([{"item": 1}] * 3), a=Fails("no luck"))
    ).run()
    end = simulation.log[-1]
    assert isinstance(end, ExecutionFailed)
    assert end.failed_node_id == "each"
    assert end.error == "each[0].a: no luck"
    assert simulation.ids("node:failed") == ["each[0].a", "each"]
    assert not simulation.state.running


def test_a_failed_loop_that_continues_lets_the_workflow_end_at_100() -> None:
    nodes = {"each": loop(BODY, on_error={"strategy": "continue"}), "after": work()}
    simulation = Simulation(
        graph(nodes, "each > after"), always(each=Expands([{"item": 1}] * 3), a=Fails())
    ).run()
    assert isinstance(simulation.log[-1], ExecutionCompleted)
    assert [e.progress for e in simulation.log if isinstance(e, ExecutionProgress)][-1] == 100


def test_a_timeout_in_a_loops_body_bounds_each_iteration() -> None:
    body = {"nodes": {"a": work()}, "settings": {"timeout_ms": 6}}
    looped = graph({"each": loop(body), "after": work()}, "each > after")
    items = [{"item": index} for index in range(3)]

    # An iteration takes four milliseconds here: a start, an end, a progress report, the next start.
    quick = Simulation(looped, always(each=Expands(items))).run()
    assert isinstance(quick.log[-1], ExecutionCompleted)
    assert quick.now - START > timedelta(milliseconds=6)

    retry = {"max_attempts": 3, "initial_delay_ms": 50}
    slow_body = {"nodes": {"a": work(retry=retry)}, "settings": {"timeout_ms": 20}}
    slow = Simulation(
        graph({"each": loop(slow_body, max_concurrency=2), "after": work()}, "each > after"),
        always(
            each=Expands(items), a=lambda node: Fails() if node.scope.index == 1 else Completes({})
        ),
    ).run()
    end = slow.log[-1]
    assert isinstance(end, ExecutionFailed)
    assert (end.failed_node_id, end.error_code) == ("each", "timeout")
    assert end.error == "each[1]: the iteration took longer than its 20 ms"
    assert slow.ids("node:completed") == ["each[0].a", "each[2].a"]


def test_a_timeout_of_a_called_workflow_bounds_the_node_that_calls_it() -> None:
    retry = {"max_attempts": 3, "initial_delay_ms": 50}
    called = graph({"inner": work(retry=retry)}, timeout_ms=20)
    call = {"type": "workflow", "config": {"workflow_id": "w"}}

    def run(**fields: Any) -> Simulation:
        nodes = {"call": call | fields, "after": work()}
        return Simulation(
            graph(nodes, "call > after"),
            always(call=Expands([{}]), inner=Fails()),
            called={"w": called},
        ).run()

    end = run().log[-1]
    assert isinstance(end, ExecutionFailed)
    assert (end.failed_node_id, end.error_code) == ("call", "timeout")
    assert end.error == "the workflow 'w' took longer than its 20 ms"

    end = run(timeout_ms=10).log[-1]
    assert isinstance(end, ExecutionFailed)
    assert end.error == "the node took longer than its 10 ms"

    assert run(on_error={"strategy": "continue"}).ids("node:completed") == ["after"]


def test_a_fold_keeps_when_a_scope_was_opened() -> None:
    body = {"nodes": {"a": work()}, "settings": {"timeout_ms": 1_000}}
    simulation = Simulation(
        graph({"each": loop(body)}), always(each=Expands([{"item": 1}, {"item": 2}]))
    ).run()
    second = next(
        length
        for length, event in enumerate(simulation.log)
        if isinstance(event, NodeStarted) and event.node_id == "each[1].a"
    )
    opened = next(
        event.timestamp
        for event in simulation.log
        if isinstance(event, NodeCompleted) and event.node_id == "each[0].a"
    )

    folded = simulation.fresh_state().apply_all(simulation.log[:second])

    assert [deadline.at for deadline in deadlines(folded)] == [opened + timedelta(seconds=1)]


def test_names_in_a_loop_reach_outwards_and_in_a_called_workflow_do_not() -> None:
    called = graph({"inner": work()})
    call = {"type": "workflow", "config": {"workflow_id": "w"}}
    outer = graph({"first": work(), "each": loop({"nodes": {"call": call}})}, "first > each")
    seen: dict[str, set[str]] = {}

    def look(node: NodeState) -> Completes:
        seen[node.path] = set(ScopeNames(node.scope)) - {"inputs", "nodes"}
        return Completes({})

    def expand_call(node: NodeState) -> Expands:
        look(node)
        return Expands([{"given": 1}])

    Simulation(
        outer,
        always(inner=look, call=expand_call, each=Expands([{"item": 5}])),
        inputs={"topic": "x"},
        called={"w": called},
    ).run()
    assert seen == {"each[0].call": {"first", "item", "topic"}, "each[0].call.inner": {"given"}}


def test_output_nodes_are_what_the_execution_gives() -> None:
    nodes = {"a": work(), "out": {"type": "output", "config": {"output_name": "answer"}}}
    simulation = Simulation(graph(nodes, "a > out"), always(out=Completes({"value": 42}))).run()
    end = simulation.log[-1]
    assert isinstance(end, ExecutionCompleted)
    assert end.outputs == {"answer": 42}


def test_without_output_nodes_the_last_nodes_are_what_the_execution_gives() -> None:
    simulation = Simulation(graph({"a": work(), "b": work()}, "a > b"), always()).run()
    assert simulation.state.outputs == {"b": {"value": "b"}}


def test_variables_hide_outputs_and_outputs_hide_inputs() -> None:
    nodes = {"a": work(config={"output_variable": "b"}), "b": work()}
    simulation = Simulation(graph(nodes, "b > a"), always(), inputs={"a": 1, "b": 2}).run()
    names = ScopeNames(simulation.state.root)
    assert names["a"] == {"value": "a"}
    assert names["b"] == {"value": "a"}
    assert names["nodes"]["b"] == {"value": "b"}
    assert names["inputs"] == {"a": 1, "b": 2}


def test_an_interrupted_node_starts_again_with_the_next_attempt_and_keeps_its_retries() -> None:
    retry = {"max_attempts": 2, "initial_delay_ms": 1}
    simulation = Simulation(
        graph({"a": work(retry=retry)}),
        always(a=lambda node: Fails() if node.attempt < 3 else Completes()),
    )
    simulation._decide_to_the_end()
    [command] = after_interruption(simulation.state)
    assert isinstance(command, RetryNode)
    assert (command.next_attempt, command.delay_ms, command.interrupted) == (2, 0, True)
    simulation._record(command)
    simulation.run()
    assert isinstance(simulation.log[-1], ExecutionCompleted)
    assert [e.attempt for e in simulation.log if isinstance(e, NodeStarted)] == [1, 2, 3]


def test_a_node_that_is_cut_off_too_often_fails() -> None:
    simulation = Simulation(graph({"a": work()}), always())
    for _ in range(MAX_INTERRUPTIONS):
        simulation._decide_to_the_end()
        [command] = after_interruption(simulation.state)
        assert isinstance(command, RetryNode)
        simulation._record(command)
    simulation._decide_to_the_end()
    [last] = after_interruption(simulation.state)
    assert isinstance(last, FailNode)
    assert last.error_code == "interrupted"


def test_an_event_that_cannot_follow_is_refused() -> None:
    simulation = Simulation(graph({"a": work(), "b": work()}, "a > b"), always()).run()
    with pytest.raises(InconsistentLog):
        simulation.state.apply(simulation.log[1])
    completed = next(event for event in simulation.log if isinstance(event, NodeCompleted))
    with pytest.raises(InconsistentLog):
        simulation.fresh_state().apply_all([simulation.log[0], completed])
