"""The appends of one transaction, done together: few statements whatever their number.

Other processes may write to the same database. So what is remembered of a log between two
transactions counts only while SQLite says that nobody else has written: ``PRAGMA data_version``.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from flowmaestro.storage.errors import LogEnded, UnknownExecution
from flowmaestro.storage.models import LogRecord

# One row with everything: each row that is fetched makes this thread give the interpreter away and
# wait for it again.
HEADS = """
SELECT json_group_array(json_array(
         id, log_id, completed_at IS NOT NULL,
         coalesce((SELECT max(number) FROM events WHERE events.log_id = executions.log_id),
                  trimmed_through)))
FROM executions WHERE id IN (SELECT value FROM json_each(?))
"""
REPEATED = """
SELECT events.log_id, events.key
FROM json_each(?) AS wanted
JOIN events ON events.log_id = json_extract(wanted.value, '$[0]')
           AND events.key = json_extract(wanted.value, '$[1]')
"""
INSERT = "INSERT INTO events (log_id, number, type, key, data) VALUES (?, ?, ?, ?, ?)"
CHUNK_ROWS = 25
"""Rows to a statement: the driver lets go of the interpreter for each statement's step, and gets it
back when the event loop's thread lets go of it, so that fewer steps are fewer waits."""
INSERT_CHUNK = INSERT + ", (?, ?, ?, ?, ?)" * (CHUNK_ROWS - 1)
STARTED = "UPDATE executions SET status = 'running', started_at = ? WHERE log_id = ?"
ENDED = """
UPDATE executions
SET status = ?, completed_at = ?, duration_ms = ?, error = ?, error_details = ?,
    outputs = json_extract(?, '$.outputs')
WHERE log_id = ?
"""


_Entry = tuple[str, str | None, str]
_Row = tuple[int, int, str, str | None, str]


class Ending(NamedTuple):
    """What the terminal event says of its execution's row; times in Unix milliseconds."""

    status: str
    completed_at: int
    duration_ms: int
    error: str | None
    error_details: str | None
    data: str


@dataclass(slots=True, eq=False)
class Append:
    """One caller's append, on its way through the writer thread."""

    execution_id: str
    entries: list[_Entry]
    """Type, key and data of each event."""
    size: int
    """Bytes of data."""
    started_at: int | None
    ending: Ending | None
    """Set when the last entry is the terminal event."""
    future: asyncio.Future[list[LogRecord]]
    queued_at: float
    """On the clock of :func:`time.perf_counter`."""
    result: list[LogRecord] | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Log:
    log_id: int
    ended: bool
    last_number: int


class RepeatSuspected(Exception):
    """Some entry may be in its log already, which has to be looked up first."""


class Heads:
    """Where the logs stand that were appended to lately and have not ended.

    It must be emptied after a transaction that was not committed, and belongs to one connection.
    """

    def __init__(self, max_logs: int = 10_000) -> None:
        self._max_logs = max_logs
        self._logs: dict[str, _Log] = {}
        self._data_version: int | None = None

    def read(self, cursor: sqlite3.Cursor, appends: list[Append]) -> dict[str, _Log]:
        """Return the logs of *appends* by execution id, without those that do not exist.

        Inside a transaction that holds the write lock.
        """
        (data_version,) = cursor.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version or len(self._logs) > self._max_logs:
            self._logs.clear()
            self._data_version = data_version
        remembered = self._logs
        logs: dict[str, _Log] = {}
        missing: set[str] = set()
        for append in appends:
            execution_id = append.execution_id
            log = remembered.get(execution_id)
            if log is None:
                missing.add(execution_id)
            else:
                logs[execution_id] = log
        if missing:
            found = _read_logs(cursor, missing)
            logs.update(found)
            remembered.update(found)
        return logs

    def forget(self, execution_id: str) -> None:
        self._logs.pop(execution_id, None)

    def clear(self) -> None:
        self._logs.clear()


def _read_logs(cursor: sqlite3.Cursor, execution_ids: set[str]) -> dict[str, _Log]:
    (rows,) = cursor.execute(HEADS, (json.dumps(list(execution_ids)),)).fetchone()
    return {
        execution_id: _Log(log_id, bool(ended), last_number)
        for execution_id, log_id, ended, last_number in json.loads(rows)
    }


def append_all(
    cursor: sqlite3.Cursor, heads: Heads, appends: list[Append], *, careful: bool
) -> None:
    """Append, in order, inside the transaction that is open, and set each one's result or error.

    Repeated keys are rare, and the unique index finds them for nothing. So the first attempt does
    not look for them: it raises when there may be some, and the caller rolls the transaction back
    and does it again *careful*.

    Raises:
        RepeatSuspected: a log has ended and its end may be what is repeated; not when *careful*.
        sqlite3.IntegrityError: a key is repeated; not when *careful*.
        sqlite3.Error: the database failed.
    """
    if not appends:
        return
    logs = heads.read(cursor, appends)
    repeated = _read_repeated(cursor, logs, appends) if careful else None
    rows: list[_Row] = []
    started: list[tuple[int, int]] = []
    ended: list[tuple[str, int, int, str | None, str | None, str, int]] = []
    for append in appends:
        records: list[LogRecord] = []
        append.result = records
        append.error = None
        log = logs.get(append.execution_id)
        if log is None:
            append.error = UnknownExecution(append.execution_id)
            continue
        entries = append.entries
        if repeated is not None:
            entries = _without_repeated(log.log_id, entries, repeated)
            if not entries:
                continue
        if log.ended:
            if repeated is None and any(key is not None for _, key, _ in entries):
                raise RepeatSuspected
            append.error = LogEnded(append.execution_id)
            continue
        log_id = log.log_id
        number = log.last_number
        for type_, key, data in entries:
            number += 1
            rows.append((log_id, number, type_, key, data))
            records.append(LogRecord(number, type_, data))
        log.last_number = number
        if repeated is not None:
            repeated.update((log_id, key) for _, key, _ in entries if key is not None)
        # What was dropped as a repeat must not reach the row either.
        if append.started_at is not None and any(e[0] == "execution:started" for e in entries):
            started.append((append.started_at, log_id))
        if append.ending is not None and entries[-1] is append.entries[-1]:
            log.ended = True
            heads.forget(append.execution_id)
            ended.append((*append.ending, log_id))
    if rows:
        _insert(cursor, rows)
    if started:
        cursor.executemany(STARTED, started)
    if ended:
        cursor.executemany(ENDED, ended)


def _insert(cursor: sqlite3.Cursor, rows: list[_Row]) -> None:
    whole = len(rows) - len(rows) % CHUNK_ROWS
    for first in range(0, whole, CHUNK_ROWS):
        chunk = rows[first : first + CHUNK_ROWS]
        cursor.execute(INSERT_CHUNK, list(chain.from_iterable(chunk)))
    if whole < len(rows):
        cursor.executemany(INSERT, rows[whole:])


def _read_repeated(
    cursor: sqlite3.Cursor, logs: dict[str, _Log], appends: list[Append]
) -> set[tuple[int, str]]:
    wanted = [
        (logs[append.execution_id].log_id, key)
        for append in appends
        if append.execution_id in logs
        for _, key, _ in append.entries
        if key is not None
    ]
    return set(cursor.execute(REPEATED, (json.dumps(wanted),)))


def _without_repeated(
    log_id: int, entries: list[_Entry], repeated: set[tuple[int, str]]
) -> list[_Entry]:
    """Return the entries whose keys are neither in the log nor on an earlier entry."""
    kept: list[_Entry] = []
    seen: set[str] = set()
    for entry in entries:
        key = entry[1]
        if key is not None:
            if key in seen or (log_id, key) in repeated:
                continue
            seen.add(key)
        kept.append(entry)
    return kept
