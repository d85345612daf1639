"""Whether the logs keep what they promise: read from the database, without a server.

Of each execution: the numbers go on without a gap to the newest, the one terminal event is the
last, and the row says what a fold of the log says.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowmaestro.events import (
    TERMINAL_TYPES,
    EventDecodeError,
    ExecutionStarted,
    LoggedEvent,
    UnknownEvent,
    decode_event,
)
from flowmaestro.storage.folding import ending_of
from flowmaestro.storage.schema import to_milliseconds

_FAULTS_KEPT = 20
_EXECUTIONS_A_SNAPSHOT = 50
"""A transaction that lasts keeps the WAL from being put into the database."""

_IDS = """
SELECT log_id FROM (
    SELECT log_id FROM (SELECT log_id FROM executions WHERE completed_at IS NULL
                        ORDER BY log_id LIMIT ?1)
    UNION
    SELECT log_id FROM (SELECT log_id FROM executions ORDER BY log_id DESC LIMIT ?1))
ORDER BY log_id DESC
"""
_EVERY_ID = "SELECT log_id FROM executions ORDER BY log_id DESC"
_ROW = """
SELECT id, status, trimmed_through, started_at, completed_at, duration_ms, error,
       error_details, outputs, definitions
FROM executions WHERE log_id = ?
"""
_SPAN = "SELECT count(*), min(number), max(number) FROM events WHERE log_id = ?"
_TERMINAL_NUMBERS = """
SELECT number, data FROM events
WHERE log_id = ? AND type IN (SELECT value FROM json_each(?))
ORDER BY number
"""
_TERMINAL = json.dumps(sorted(TERMINAL_TYPES))
_STARTED = """
SELECT data FROM events WHERE log_id = ? AND number <= 2 AND type = 'execution:started'
"""
_VERSION = "SELECT 1 FROM workflow_versions WHERE workflow_id = ? AND version = ?"


@dataclass(frozen=True, slots=True)
class AuditFault:
    """A promise that is broken."""

    execution_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class LogAudit:
    """What was looked at, and what was found."""

    executions: int
    """How many were looked at."""
    events: int
    faults: list[AuditFault]
    """The first ones."""
    complete: bool
    """Whether every execution was looked at."""


def audit_logs(
    connection: sqlite3.Connection, *, sample: int | None = None, seconds: float | None = None
) -> LogAudit:
    """Check the logs of the database that *connection* reads.

    Args:
        connection: from :func:`~flowmaestro.storage.upkeep.open_to_read`, not in a transaction.
        sample: look at so many of the unfinished executions, and of the newest; ``None``: at all.
        seconds: end after so long, with what was looked at until then; ``None``: at the end.

    Raises:
        sqlite3.Error: the database cannot be read, or is damaged.
    """
    query, parameters = (_EVERY_ID, ()) if sample is None else (_IDS, (sample,))
    ids = [log_id for (log_id,) in connection.execute(query, parameters)]
    (total,) = connection.execute("SELECT count(*) FROM executions").fetchone()
    deadline = None if seconds is None else time.monotonic() + seconds
    faults: list[AuditFault] = []
    executions = events = 0
    for group in _groups(ids):
        if deadline is not None and time.monotonic() > deadline:
            break
        connection.execute("BEGIN")
        try:
            for log_id in group:
                found = _Log(connection, log_id)
                executions += 1
                events += found.count
                faults += [AuditFault(found.execution_id, problem) for problem in found.problems()]
        finally:
            connection.execute("ROLLBACK")
    return LogAudit(executions, events, faults[:_FAULTS_KEPT], executions >= total)


def _groups(ids: list[int]) -> Iterator[list[int]]:
    for first in range(0, len(ids), _EXECUTIONS_A_SNAPSHOT):
        yield ids[first : first + _EXECUTIONS_A_SNAPSHOT]


class _Log:
    """One execution's row and log, as they were at one moment."""

    def __init__(self, connection: sqlite3.Connection, log_id: int) -> None:
        self._connection = connection
        self._log_id = log_id
        (
            self.execution_id,
            self._status,
            self._trimmed_through,
            self._started_at,
            *self._ending,
            self._definitions,
        ) = connection.execute(_ROW, (log_id,)).fetchone()
        self.count, self._first, self._last = connection.execute(_SPAN, (log_id,)).fetchone()

    def problems(self) -> Iterable[str]:
        """Yield what is wrong with it, each a sentence without its full stop."""
        yield from self._gaps()
        terminal = self._connection.execute(_TERMINAL_NUMBERS, (self._log_id, _TERMINAL)).fetchall()
        yield from self._misplaced(terminal)
        if terminal:
            yield from self._differs_from_end(terminal[-1][1])
        elif self._ended and self.count:
            yield f"it is {self._status}, and no terminal event says so"
        if not self._ended:
            yield from self._lost_definitions()
        yield from self._differs_from_start()

    @property
    def _ended(self) -> bool:
        return self._ending[0] is not None

    def _gaps(self) -> Iterable[str]:
        if not self.count:
            return
        if self._first != self._trimmed_through + 1:
            yield f"its log begins at {self._first} instead of {self._trimmed_through + 1}"
        if self._last - self._first + 1 != self.count:
            yield f"its log has {self.count} events from {self._first} to {self._last}: a gap"

    def _misplaced(self, terminal: list[tuple[int, str]]) -> Iterable[str]:
        if len(terminal) > 1:
            yield f"its log has {len(terminal)} terminal events"
        if terminal and terminal[-1][0] != self._last:
            yield f"events follow its terminal event, number {terminal[-1][0]}"

    def _differs_from_end(self, data: str) -> Iterable[str]:
        event = _decoded(data)
        if event is None:
            yield "its terminal event cannot be read"
            return
        ending = ending_of(event, data)
        status, completed_at, duration_ms, error, details, _ = ending
        outputs = json.loads(data).get("outputs")
        told = (completed_at, duration_ms, error, _value(details), outputs)
        *plain, row_details, row_outputs = self._ending
        if status != self._status:
            yield f"its row says {self._status}, and its log {status}"
        elif told != (*plain, _value(row_details), _value(row_outputs)):
            yield "its row does not say what its terminal event says"

    def _differs_from_start(self) -> Iterable[str]:
        if self._trimmed_through:
            return
        row = self._connection.execute(_STARTED, (self._log_id,)).fetchone()
        event = None if row is None else _decoded(row[0])
        if row is None:
            if self._status == "running":
                yield "its row says running, and its log not that it started"
        elif not isinstance(event, ExecutionStarted):
            yield "its first event cannot be read"
        elif to_milliseconds(event.started_at) != self._started_at or self._status == "pending":
            yield "its row does not say when its log says that it started"

    def _lost_definitions(self) -> Iterable[str]:
        for workflow_id, version in json.loads(self._definitions).items():
            if not self._connection.execute(_VERSION, (workflow_id, version)).fetchone():
                yield f"it is unfinished, and version {version} of {workflow_id!r} is not there"


def _decoded(data: str) -> LoggedEvent | None:
    try:
        event = decode_event(data)
    except EventDecodeError:
        return None
    return None if isinstance(event, UnknownEvent) or event.type == "connected" else event


def _value(text: str | None) -> object:
    return None if text is None else json.loads(text)
