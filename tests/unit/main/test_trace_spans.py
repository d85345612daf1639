"""The fold of events to spans, whatever events it gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from flowmaestro.events import (
    ExecutionCompleted,
    ExecutionStarted,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeStarted,
    encode_event,
)
from flowmaestro.main.tracing.spans import SPAN_TYPES, ExecutionSpans, FinishedSpan
from flowmaestro.storage import Execution
from flowmaestro.workflow.trace_context import execution_context

MOMENT = datetime(2025, 3, 1, 12, tzinfo=UTC)
ID = "exec_1"
EXECUTION = Execution(
    id=ID,
    workspace="default",
    workflow_id="wf",
    workflow_name="Workflow",
    status="pending",
    inputs={},
    outputs=None,
    error=None,
    error_details=None,
    created_at=MOMENT,
    started_at=None,
    completed_at=None,
    duration_ms=None,
    definitions={},
)


def at(second: int) -> dict[str, Any]:
    return {"execution_id": ID, "timestamp": MOMENT + timedelta(seconds=second)}


def node(node_id: str, attempt: int) -> dict[str, Any]:
    return {"node_id": node_id, "node_name": node_id, "node_type": "python", "attempt": attempt}


def started(second: int, node_id: str, attempt: int = 1) -> NodeStarted:
    moment = MOMENT + timedelta(seconds=second)
    return NodeStarted(**at(second), **node(node_id, attempt), started_at=moment)


def completed(second: int, node_id: str, attempt: int = 1, seconds: int = 1) -> NodeCompleted:
    return NodeCompleted(
        **at(second),
        **node(node_id, attempt),
        outputs={"large": "x" * 10},
        duration_ms=seconds * 1000,
        completed_at=MOMENT + timedelta(seconds=second),
    )


LOG: list[Any] = [
    ExecutionStarted(
        **at(0), workflow_id="wf", workflow_name="Workflow", started_at=MOMENT, total_nodes=3
    ),
    started(1, "a"),
    NodeRetrying(
        **at(2), node_id="a", next_attempt=2, delay_ms=0, error="no", error_code="node_error"
    ),
    started(2, "a", 2),
    completed(3, "a", 2),
    started(3, "a.b"),
    started(4, "a.b[0].c"),
    completed(5, "a.b[0].c"),
    completed(6, "a.b", seconds=3),
    started(6, "d"),
    NodeFailed(**at(7), **node("d", 1), error="bad", error_code="node_error", duration_ms=1000),
    started(7, "e"),
    ExecutionCompleted(
        **at(8),
        outputs={},
        started_at=MOMENT,
        completed_at=MOMENT + timedelta(seconds=8),
        duration_ms=8000,
    ),
]


def fold(events: list[Any]) -> list[FinishedSpan]:
    spans = ExecutionSpans(EXECUTION, execution_context(ID))
    return [
        span
        for event in events
        if event.type in SPAN_TYPES
        for span in spans.apply(event.type, from_json(encode_event(event)))
    ]


def test_a_whole_log_gives_a_span_for_each_attempt_and_one_for_all() -> None:
    spans = fold(LOG)
    root = spans[-1]
    found = {
        (s.attributes["flowmaestro.node.id"], s.attributes["flowmaestro.node.attempt"]): s
        for s in spans[:-1]
    }
    assert {key: span.attributes["flowmaestro.node.outcome"] for key, span in found.items()} == {
        ("a", 1): "retried",
        ("a", 2): "completed",
        ("a.b", 1): "completed",
        ("a.b[0].c", 1): "completed",
        ("d", 1): "failed",
        ("e", 1): "cancelled",
    }
    # The dot is in the node's own id: "a" had ended by then, so it holds nothing.
    assert found["a.b", 1].parent_span_id == root.span_id
    assert found["a.b[0].c", 1].parent_span_id == found["a.b", 1].span_id
    assert root.parent_span_id is None
    assert root.end_ms - root.start_ms == 8000
    assert found["d", 1].error == "bad"


@given(st.lists(st.booleans(), min_size=len(LOG), max_size=len(LOG)))
def test_events_that_are_missing_cost_no_more_than_their_spans(kept: list[bool]) -> None:
    events = [event for event, keep in zip(LOG, kept, strict=True) if keep]
    whole = {span.span_id: span for span in fold(LOG)}
    for span in fold(events):
        assert span.span_id in whole
        assert span.end_ms == whole[span.span_id].end_ms or span.error is None
        assert span.start_ms <= span.end_ms
    ends = {"node:completed", "node:failed", "node:retrying", "execution:completed"}
    assert len(fold(events)) >= sum(event.type in ends for event in events)


def test_a_clock_that_was_set_back_gives_no_negative_span() -> None:
    [span] = fold([started(5, "a"), completed(1, "a")])
    assert span.end_ms >= span.start_ms


def test_the_same_log_gives_the_same_spans() -> None:
    assert fold(LOG) == fold(LOG)
