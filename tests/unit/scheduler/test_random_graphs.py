"""What holds for every workflow, whatever its shape and whatever its nodes do."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.events import (
    ExecutionCompleted,
    ExecutionProgress,
    LoggedEvent,
    NodeCompleted,
    NodeFailed,
    NodeSkipped,
    NodeStarted,
    decode_event,
    encode_event,
)
from flowmaestro.workflow import (
    Definition,
    FailExecution,
    FailNode,
    Graph,
    NodeState,
    Scope,
    idempotency_key,
)
from tests.support.simulation import Completes, Expands, Fails, Simulation

HANDLES = ("true", "false")


@st.composite
def documents(draw: st.DrawFn, depth: int = 0) -> dict[str, Any]:
    """A definition whose edges lead from earlier nodes to later ones, so without cycles."""
    count = draw(st.integers(1, 6 if depth == 0 else 3))
    nodes: dict[str, Any] = {}
    for index in range(count):
        kinds = ["work", "conditional", "workflow"] + (["loop"] if depth < 2 else [])
        kind = draw(st.sampled_from(kinds))
        config: dict[str, Any] = {}
        if kind == "loop":
            config = {
                "items": [],
                "body": draw(documents(depth=depth + 1)),
                "max_concurrency": draw(st.integers(1, 3)),
            }
        elif kind == "workflow":
            config = {"workflow_id": "called"}
        node: dict[str, Any] = {"type": kind, "config": config}
        strategy = draw(st.sampled_from([None, "fail", "continue", "fallback"]))
        if strategy:
            node["on_error"] = {"strategy": strategy, "fallback_value": "true"}
        if kind in ("work", "conditional") and draw(st.booleans()):
            node["retry"] = {"max_attempts": draw(st.integers(1, 3)), "initial_delay_ms": 5}
        nodes[f"n{index}"] = node
    edges = []
    for target in range(1, count):
        for source in sorted(draw(st.sets(st.integers(0, target - 1), max_size=3))):
            edge = {"source": f"n{source}", "target": f"n{target}"}
            if nodes[f"n{source}"]["type"] == "conditional" and draw(st.booleans()):
                edge["source_handle"] = draw(st.sampled_from(HANDLES))
            edges.append(edge)
    settings = {"max_concurrent_nodes": draw(st.integers(1, 4))}
    if draw(st.booleans()):
        settings["timeout_ms"] = draw(st.integers(1, 40))
    return {"name": "random", "nodes": nodes, "edges": edges, "settings": settings}


CALLED = Graph(
    Definition.from_document(
        {
            "name": "called",
            "nodes": {"a": {"type": "work"}, "b": {"type": "work"}},
            "edges": [{"source": "a", "target": "b"}],
        }
    )
)


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    graph = Graph(Definition.from_document(draw(documents())))

    def behaviour(node: NodeState) -> Completes | Expands | Fails:
        if draw(st.integers(0, 9)) < 2:
            return Fails(retryable=draw(st.booleans()))
        if node.node.type == "loop":
            return Expands([{"item": index} for index in range(draw(st.integers(0, 3)))])
        if node.node.type == "workflow":
            return Expands([{}])
        handle = draw(st.sampled_from(HANDLES)) if node.node.type == "conditional" else None
        return Completes({"value": node.path}, handle)

    return Simulation(
        graph,
        behaviour,
        called={"called": CALLED},
        choose=lambda running: draw(st.integers(0, running - 1)),
        max_running=draw(st.sampled_from([None, 1, 2])),
        max_results_bytes=draw(st.sampled_from([None, 30, 100])),
    )


@given(simulations())
def test_every_execution_ends_with_one_terminal_event_last(simulation: Simulation) -> None:
    simulation.run()

    assert [event.terminal for event in simulation.log].count(True) == 1
    assert simulation.log[-1].terminal


@given(simulations())
def test_a_fold_of_any_prefix_decides_what_the_run_decided(simulation: Simulation) -> None:
    simulation.run()
    log = [cast(LoggedEvent, decode_event(encode_event(event))) for event in simulation.log]

    for length, now, commands in simulation.decisions:
        folded = simulation.fold(log[:length])
        assert simulation.commands(folded, now) == commands


@given(simulations())
def test_every_settled_node_is_settled_once(simulation: Simulation) -> None:
    simulation.run()
    ends = Counter(
        event.node_id
        for event in simulation.log
        if isinstance(event, NodeCompleted | NodeFailed | NodeSkipped)
    )
    assert set(ends.values()) <= {1}
    if isinstance(simulation.log[-1], ExecutionCompleted):
        assert simulation.state.settled_nodes == simulation.state.total_nodes


@given(simulations())
def test_attempts_are_numbered_from_one_and_never_repeat(simulation: Simulation) -> None:
    simulation.run()
    attempts: dict[str, list[int]] = {}
    for event in simulation.log:
        if isinstance(event, NodeStarted):
            attempts.setdefault(event.node_id, []).append(event.attempt)
    for numbers in attempts.values():
        assert numbers == list(range(1, len(numbers) + 1))


@given(simulations())
def test_progress_never_falls_and_ends_at_100(simulation: Simulation) -> None:
    simulation.run()
    reported = [e.progress for e in simulation.log if isinstance(e, ExecutionProgress)]
    assert reported == sorted(reported)
    assert all(0 <= progress <= 100 for progress in reported)
    if isinstance(simulation.log[-1], ExecutionCompleted):
        assert reported[-1] == 100


@given(simulations())
def test_limits_on_running_nodes_hold(simulation: Simulation) -> None:
    simulation.run()
    limit = simulation.graph.max_concurrent_nodes
    if simulation.max_running is not None:
        limit = min(limit, simulation.max_running)
    assert simulation.most_running <= limit


@given(simulations())
def test_idempotency_keys_are_unique_within_a_log(simulation: Simulation) -> None:
    simulation.run()
    keys = [key for event in simulation.log if (key := idempotency_key(event)) is not None]
    assert len(keys) == len(set(keys))


def counted(scope: Scope) -> int:
    """What *scope* holds, counted anew."""
    held = sum(scope.outputs_bytes.values())
    for node in scope.nodes.values():
        container = node.container
        if container is not None:
            held += container.own_bytes + container.results_bytes
            held += sum(counted(inner) for inner in container.open_scopes.values())
    return held


@given(simulations())
def test_what_is_held_is_what_a_count_anew_gives(simulation: Simulation) -> None:
    simulation.run()
    for length in range(0, len(simulation.log), 7):
        state = simulation.fold(simulation.log[:length])
        assert state.held_bytes == counted(state.root)
    assert simulation.state.held_bytes == counted(simulation.state.root)


@given(simulations())
def test_a_loop_whose_results_are_too_large_starts_nothing_more(simulation: Simulation) -> None:
    simulation.run()
    for length, _, commands in simulation.decisions:
        state = simulation.fold(simulation.log[:length])
        if state.oversized_loops and state.failure is None and not state.failed_containers:
            [command] = commands
            assert isinstance(command, FailNode | FailExecution)
