"""Events in, spans out. Pure: the same log gives the same spans, ids included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flowmaestro.events import TERMINAL_TYPES
from flowmaestro.storage import Execution
from flowmaestro.workflow.trace_context import TraceContext

SPAN_TYPES: Final = TERMINAL_TYPES | {
    "execution:started",
    "node:started",
    "node:completed",
    "node:failed",
    "node:retrying",
}
"""The events that spans are made of."""

_NAMESPACE: Final = "flowmaestro."


@dataclass(frozen=True, slots=True)
class FinishedSpan:
    """A span that is over; times in Unix milliseconds."""

    name: str
    span_id: str
    parent_span_id: str | None
    """``None``: it is the execution's own."""
    start_ms: int
    end_ms: int
    attributes: Mapping[str, str | int]
    error: str | None = None
    """What went wrong, as the event says it: without secrets."""


@dataclass(slots=True)
class _Attempt:
    number: int
    started_ms: int
    name: str
    node_type: str
    span_id: str
    parent_span_id: str


@dataclass(slots=True)
class ExecutionSpans:
    """The spans of one execution, as its events come."""

    execution: Execution
    context: TraceContext
    _started_ms: int | None = None
    _running: dict[str, _Attempt] = field(default_factory=dict)

    def apply(self, kind: str, event: Mapping[str, Any]) -> Iterator[FinishedSpan]:
        """Take the next event, of the type *kind*, and yield the spans that end with it.

        Events that are missing cost their spans or these spans' beginnings, and nothing else.
        """
        now = _milliseconds(event["timestamp"])
        if kind == "execution:started":
            self._started_ms = now
        elif kind == "node:started":
            self._start(event, now)
        elif kind in TERMINAL_TYPES:
            for node_id, attempt in self._running.items():
                yield self._attempt_span(node_id, attempt, now, "cancelled")
            self._running.clear()
            yield self._root_span(event, now)
        elif kind == "node:retrying":
            yield self._retried(event, now)
        else:
            yield self._ended(event, now)

    def _start(self, event: Mapping[str, Any], now: int) -> None:
        node_id, number = event["node_id"], event["attempt"]
        self._running[node_id] = _Attempt(
            number,
            now,
            event["node_name"],
            event["node_type"],
            self.context.attempt(node_id, number).span_id,
            self._parent_of(node_id),
        )

    def _parent_of(self, node_id: str) -> str:
        """Return the span of the container that a node is in: the running one whose id is the
        longest beginning of its path."""
        for end in range(len(node_id) - 1, 0, -1):
            if node_id[end] in ".[" and (container := self._running.get(node_id[:end])):
                return container.span_id
        return self.context.span_id

    def _ended(self, event: Mapping[str, Any], now: int) -> FinishedSpan:
        node_id, number = event["node_id"], event["attempt"]
        attempt = self._running.pop(node_id, None)
        if attempt is None or attempt.number != number:
            self._start(event, now - event["duration_ms"])
            attempt = self._running.pop(node_id)
        if event["type"] == "node:failed":
            return self._attempt_span(node_id, attempt, now, "failed", event)
        handle = event.get("handle")
        more = {} if handle is None else {"node.handle": handle}
        return self._attempt_span(node_id, attempt, now, "completed", more=more)

    def _retried(self, event: Mapping[str, Any], now: int) -> FinishedSpan:
        node_id, number = event["node_id"], event["next_attempt"] - 1
        attempt = self._running.pop(node_id, None)
        if attempt is None or attempt.number != number:
            span_id = self.context.attempt(node_id, number).span_id
            attempt = _Attempt(number, now, node_id, "unknown", span_id, self._parent_of(node_id))
        outcome = "interrupted" if event.get("interrupted") else "retried"
        more = {"node.retry_delay_ms": event["delay_ms"]}
        return self._attempt_span(node_id, attempt, now, outcome, event, more)

    def _attempt_span(
        self,
        node_id: str,
        attempt: _Attempt,
        now: int,
        outcome: str,
        failure: Mapping[str, Any] | None = None,
        more: Mapping[str, str | int] | None = None,
    ) -> FinishedSpan:
        attributes = {
            "execution.id": self.execution.id,
            "node.id": node_id,
            "node.name": attempt.name,
            "node.type": attempt.node_type,
            "node.attempt": attempt.number,
            "node.outcome": outcome,
            **(more or {}),
        }
        return FinishedSpan(
            attempt.name,
            attempt.span_id,
            attempt.parent_span_id,
            attempt.started_ms,
            max(now, attempt.started_ms),  # the clock may have been set back
            _named(attributes, failure),
            None if failure is None else failure["error"],
        )

    def _root_span(self, event: Mapping[str, Any], now: int) -> FinishedSpan:
        execution = self.execution
        started = self._started_ms
        if started is None:
            started = now - event["duration_ms"]
        attributes: dict[str, str | int] = {
            "execution.id": execution.id,
            "execution.status": event["status"],
            "workflow.id": execution.workflow_id,
            "workflow.name": execution.workflow_name,
            "workspace": execution.workspace,
        }
        if event.get("failed_node_id") is not None:
            attributes["execution.failed_node_id"] = event["failed_node_id"]
        if "reason" in event:
            attributes["execution.cancel_reason"] = event["reason"]
        failed = event["status"] == "failed"
        return FinishedSpan(
            f"execute {execution.workflow_name}",
            self.context.span_id,
            None,
            started,
            max(now, started),
            _named(attributes, event if failed else None),
            event["error"] if failed else None,
        )


def _named(
    attributes: Mapping[str, str | int], failure: Mapping[str, Any] | None
) -> dict[str, str | int]:
    named = {f"{_NAMESPACE}{name}": value for name, value in attributes.items()}
    if failure is not None:
        # https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
        named["error.type"] = failure["error_code"]
    return named


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
