"""Ends executions that no run is there to end: what waits is cancelled, what cannot go on fails."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flowmaestro.events import (
    EventDecodeError,
    ExecutionCancelled,
    ExecutionFailed,
    TerminalEvent,
    decode_event,
)
from flowmaestro.storage import EventLog, Execution, LogEnded, LogEntry
from flowmaestro.workflow import milliseconds_between

from .clock import whole_milliseconds
from .statistics import EngineStatistics

logger = logging.getLogger("flowmaestro.engine")


class Endings:
    """Appends terminal events, each the only one of its log.

    :param now: the wall clock: aware, UTC.
    """

    def __init__(
        self, log: EventLog, statistics: EngineStatistics, now: Callable[[], datetime]
    ) -> None:
        self._log = log
        self._statistics = statistics
        self._now = now

    async def fail(self, execution: Execution) -> None:
        """End an execution that the engine could not go on with.

        :raises StorageUnavailable: if that could not be recorded.
        """
        now = await self._time_to_end(execution)
        await self._end(
            execution,
            ExecutionFailed(
                execution_id=execution.id,
                timestamp=now,
                error="the server could not go on with this execution: its log says why",
                error_code="internal_error",
                failed_node_id=None,
                completed_at=now,
                duration_ms=milliseconds_between(execution.started_at, now),
            ),
        )

    async def cancel(self, execution: Execution, reason: str) -> bool:
        """End an execution as cancelled, unless it has ended; return whether it had not.

        :raises StorageUnavailable: if that could not be recorded.
        """
        now = await self._time_to_end(execution)
        return await self._end(
            execution,
            ExecutionCancelled(
                execution_id=execution.id,
                timestamp=now,
                reason=reason,
                cancelled_at=now,
                duration_ms=milliseconds_between(execution.started_at or execution.created_at, now),
            ),
        )

    async def _time_to_end(self, execution: Execution) -> datetime:
        """Return the time: not before the newest event, whatever the wall clock says."""
        last = (await self._log.head(execution.id)).last_number
        records = await self._log.read(execution.id, after=last - 1, limit=1) if last else []
        told = execution.started_at or execution.created_at
        with contextlib.suppress(EventDecodeError):  # that may be why it cannot go on
            told = max([told, *(decode_event(record.data).timestamp for record in records)])
        return max(whole_milliseconds(self._now()), told)

    async def _end(self, execution: Execution, event: TerminalEvent) -> bool:
        try:
            [record] = await self._log.append(execution.id, [LogEntry(event)])
        except LogEnded:
            logger.info("the log had ended before", extra={"execution_id": execution.id})
            return False
        note_end(self._statistics, execution, event.status, event.duration_ms, record.number)
        return True


def note_end(
    statistics: EngineStatistics, execution: Execution, status: str, duration_ms: int, events: int
) -> None:
    """Count an execution that has ended, and tell of it."""
    statistics.execution(status, duration_ms)
    if not logger.isEnabledFor(logging.INFO):
        return
    fields: dict[str, Any] = {
        "execution_id": execution.id,
        "workflow_id": execution.workflow_id,
        "workspace": execution.workspace,
        "status": status,
        "duration_ms": duration_ms,
        "events": events,
    }
    logger.info("execution ended", extra=fields)
