"""What an execution holds, and what follows when that is too much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowmaestro.events import ExecutionFailed, NodeCompleted, NodeFailed
from flowmaestro.workflow import (
    EXECUTION_TOO_LARGE,
    OUTPUTS_TOO_LARGE,
    Definition,
    Graph,
    NodeState,
)
from tests.support.simulation import Completes, Expands, Fails, Simulation

WORK = {"type": "work"}
CONTINUE = {"on_error": {"strategy": "continue"}}


def graph(nodes: dict[str, Any], *edges: tuple[str, str]) -> Graph:
    pairs = [{"source": source, "target": target} for source, target in edges]
    return Graph(Definition.from_document({"name": "test", "nodes": nodes, "edges": pairs}))


def loop(nodes: dict[str, Any], *edges: tuple[str, str], **fields: Any) -> dict[str, Any]:
    pairs = [{"source": source, "target": target} for source, target in edges]
    body = {"nodes": nodes, "edges": pairs}
    return {"type": "loop", "config": {"items": [], "body": body}} | fields


def text(size: int) -> dict[str, Any]:
    return {"text": "x" * size}


def behaviour(items: int, **outcomes: Any) -> Any:
    """Loops go through so many *items*; nodes that are not named give nothing."""

    def behave(node: NodeState) -> Any:
        if node.node.type == "loop":
            return Expands([{"item": index} for index in range(items)])
        outcome = outcomes.get(node.node.id, {})
        return Completes(outcome) if isinstance(outcome, dict) else outcome

    return behave


def most_held(simulation: Simulation) -> int:
    return max(
        simulation.fold(simulation.log[:length]).held_bytes
        for length in range(len(simulation.log) + 1)
    )


def test_outputs_are_held_to_the_end_of_their_scope() -> None:
    simulation = Simulation(graph({"a": WORK, "b": WORK}), behaviour(0, a=text(10), b=text(20)))
    size = len(json.dumps(text(0), separators=(",", ":")))
    assert simulation.run().state.held_bytes == 2 * size + 30


def test_of_an_iteration_its_result_is_held_alone() -> None:
    body = loop({"a": WORK, "b": WORK}, ("a", "b"))
    simulation = Simulation(graph({"each": body}), behaviour(50, a=text(10_000), b=text(100))).run()
    assert simulation.state.status == "completed"
    assert most_held(simulation) < 2 * 10_000 + 50 * 200 + 5_000


def test_nothing_of_a_loop_that_failed_is_held() -> None:
    inner = loop({"a": WORK, "b": WORK}, ("a", "b"))
    outer = loop({"first": WORK, "inner": inner}, ("first", "inner"), **CONTINUE)
    simulation = Simulation(
        graph({"each": outer}), behaviour(3, first=text(5_000), a=text(5_000), b=Fails("no"))
    ).run()
    assert simulation.state.status == "completed"
    assert most_held(simulation) > 10_000
    assert simulation.state.held_bytes < 100


@pytest.mark.parametrize("strategy", ["fail", "continue"])
def test_a_loop_fails_as_soon_as_its_results_are_too_large(strategy: str) -> None:
    each = loop({"a": WORK}, on_error={"strategy": strategy})
    simulation = Simulation(
        graph({"each": each}), behaviour(1_000, a=text(100)), max_results_bytes=1_000
    ).run()
    completed = [event for event in simulation.log if isinstance(event, NodeCompleted)]
    assert len(completed) == 10
    [failed] = [event for event in simulation.log if isinstance(event, NodeFailed)]
    assert (failed.node_id, failed.error_code) == ("each", OUTPUTS_TOO_LARGE)
    assert "bytes of JSON after 10 of 1,000 items, and 1,000 are allowed" in failed.error
    assert simulation.state.status == ("failed" if strategy == "fail" else "completed")


def test_results_that_fit_are_not_taken_to_be_too_large() -> None:
    value = {"name": "line", "value": "x" * 10}
    out = {"type": "output", "config": {"output_name": "line", "value": ""}}
    each = graph({"each": loop({"out": out})})
    outputs = {"results": [{"line": "x" * 10}] * 100}
    limit = len(json.dumps(outputs, separators=(",", ":")))
    simulation = Simulation(each, behaviour(100, out=value), max_results_bytes=limit).run()
    assert simulation.state.status == "completed"
    assert simulation.state.outputs["each"] == outputs


def test_another_bound_reads_the_same_log() -> None:
    each = graph({"each": loop({"a": WORK})})
    simulation = Simulation(each, behaviour(20, a=text(100)), max_results_bytes=1_000).run()
    for other in (None, 10, 100_000):
        simulation.max_results_bytes = other
        assert simulation.fold(simulation.log).status == "failed"


def test_no_on_error_goes_on_when_the_execution_is_too_large() -> None:
    inner = loop({"a": {**WORK, **CONTINUE}}, **CONTINUE)
    outer = loop({"inner": inner}, **CONTINUE)
    simulation = Simulation(
        graph({"each": outer}),
        behaviour(5, a=Fails("too much", EXECUTION_TOO_LARGE, retryable=False)),
    ).run()
    [failed] = [event for event in simulation.log if isinstance(event, NodeFailed)]
    end = simulation.log[-1]
    assert isinstance(end, ExecutionFailed)
    assert end.failed_node_id == failed.node_id == "each[0].inner[0].a"
    assert (end.error, end.error_code) == ("too much", EXECUTION_TOO_LARGE)
