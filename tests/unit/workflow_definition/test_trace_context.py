from __future__ import annotations

import hashlib

import pytest

from flowmaestro.workflow.trace_context import (
    RemoteParent,
    execution_context,
    parse_traceparent,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f" 00-{TRACE}-{SPAN}-01 ", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_a_valid_header_is_read(header: str, sampled: bool) -> None:
    parent = parse_traceparent(header)
    assert parent == RemoteParent(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}x-{SPAN}-01",
        f"٠٠-{TRACE}-{SPAN}-01",
    ],
)
def test_any_other_is_none(header: str | None) -> None:
    assert parse_traceparent(header) is None


def test_the_trace_is_found_from_the_executions_id() -> None:
    context = execution_context("exec_1")
    assert context.trace_id == hashlib.sha256(b"exec_1").hexdigest()[:32]
    assert context == execution_context("exec_1")
    assert context.traceparent == f"00-{context.trace_id}-{context.span_id}-01"


def test_an_execution_of_a_traced_request_is_in_its_trace() -> None:
    context = execution_context("exec_1", parse_traceparent(f"00-{TRACE}-{SPAN}-01"))
    assert context.trace_id == TRACE
    assert context.span_id != SPAN


def test_every_attempt_is_another_span() -> None:
    context = execution_context("exec_1", sampled=False)
    attempts = [context.attempt(node, number) for node in ("a", "a1", "b") for number in (1, 11)]
    assert len({one.span_id for one in [context, *attempts]}) == 7
    assert {one.trace_id for one in attempts} == {context.trace_id}
    assert all(one.traceparent.endswith("-00") for one in attempts)
