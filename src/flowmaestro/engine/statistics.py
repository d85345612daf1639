"""What an engine has done since its start: counted, and told in the log where it went wrong.

Both are made from the events of a step, so that they say what the execution's log says.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal

from flowmaestro.events import LoggedEvent, NodeCompleted, NodeFailed, NodeRetrying
from flowmaestro.storage import LONG_SECONDS, Distribution
from flowmaestro.workflow import ExecutionState, milliseconds_between

logger = logging.getLogger("flowmaestro.engine")

AttemptOutcome = Literal["completed", "failed", "retried", "interrupted"]


OBSERVED = frozenset({NodeCompleted, NodeFailed, NodeRetrying})
"""The events that :meth:`EngineStatistics.record` has a use for."""


def _seconds() -> Distribution:
    return Distribution(LONG_SECONDS)


@dataclass(slots=True)
class EngineStatistics:
    """Numbers that only grow."""

    accepted: int = 0
    """Executions that were accepted."""
    refused: int = 0
    """Executions that were refused because too many were unfinished."""
    recovered: int = 0
    """Executions that an earlier engine had begun."""
    ended: dict[str, Distribution] = field(default_factory=dict)
    """How long executions took in seconds, by the status they ended with."""
    attempts: dict[tuple[str, AttemptOutcome], Distribution] = field(default_factory=dict)
    """How long attempts took in seconds, by their node's type and how they ended."""
    conflicts: int = 0
    """Logs that held what was about to be appended: somebody else writes them. Should be 0."""
    internal_failures: int = 0
    """Executions that the engine itself could not go on with. Should be 0."""
    dropped_messages: int = 0
    """Messages of nodes that were not recorded: they came too fast."""

    def record(self, state: ExecutionState, event: LoggedEvent) -> None:
        """Take note of *event*, which is about to be applied to *state*."""
        match event:
            case NodeCompleted():
                self._attempt(event.node_type, "completed", event.duration_ms)
            case NodeFailed():
                self._attempt(event.node_type, "failed", event.duration_ms)
                _tell_failure(event)
            case NodeRetrying():
                node = state.find(event.node_id)
                duration_ms = milliseconds_between(node.started_at, event.timestamp)
                outcome: AttemptOutcome = "interrupted" if event.interrupted else "retried"
                self._attempt(node.node.type, outcome, duration_ms)
                _tell_retry(event)

    def execution(self, status: str, duration_ms: int) -> None:
        """Take note of an execution's end."""
        seconds = self.ended.get(status)
        if seconds is None:
            seconds = self.ended[status] = _seconds()
        seconds.observe(duration_ms / 1000)

    def _attempt(self, node_type: str, outcome: AttemptOutcome, duration_ms: int) -> None:
        seconds = self.attempts.get((node_type, outcome))
        if seconds is None:
            seconds = self.attempts[node_type, outcome] = _seconds()
        seconds.observe(duration_ms / 1000)


def _tell_failure(event: NodeFailed) -> None:
    fields = {
        "node_id": event.node_id,
        "attempt": event.attempt,
        "error_code": event.error_code,
        "error": event.error,
    }
    logger.info("node failed", extra=fields)


def _tell_retry(event: NodeRetrying) -> None:
    fields = {
        "node_id": event.node_id,
        "attempt": event.next_attempt - 1,
        "error_code": event.error_code,
        "delay_ms": event.delay_ms,
    }
    if event.interrupted:
        logger.warning("attempt was interrupted, and is repeated", extra=fields)
    else:
        logger.info("attempt failed, and is repeated", extra={**fields, "error": event.error})
