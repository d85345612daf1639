"""Reading a log: its head and its pages. Functions of a reader's connection."""

from __future__ import annotations

import sqlalchemy as sa

from flowmaestro.storage.errors import CursorExpired, UnknownExecution
from flowmaestro.storage.models import LogHead, LogRecord

# A page comes as one row, because each row that is fetched makes the reader's thread give the
# interpreter away and wait for it again. The separators cannot be in what they separate: a type
# has no space, and an event's JSON is one line.
PAGE = """
SELECT trimmed_through, numbers, types, data
FROM executions LEFT JOIN (
    SELECT group_concat(number, ' ') AS numbers, group_concat(type, ' ') AS types,
           group_concat(data, char(10)) AS data
    FROM (SELECT number, type, data FROM events
          WHERE log_id = (SELECT log_id FROM executions WHERE id = ?1) AND number > ?2
          ORDER BY number LIMIT ?3))
WHERE id = ?1
"""
HEAD = """
SELECT status, completed_at IS NOT NULL, trimmed_through,
       coalesce((SELECT max(number) FROM events WHERE events.log_id = executions.log_id),
                trimmed_through), workspace
FROM executions WHERE id = ?
"""
_FIRST_ROWS = 32
"""How many events are fetched before their sizes tell how many more may be."""


def read_page(
    connection: sa.Connection, *, execution_id: str, after: int, limit: int, max_bytes: int
) -> list[LogRecord]:
    """See :meth:`EventLog.read`; what it holds at once is little over *max_bytes*."""
    records: list[LogRecord] = []
    characters = 0
    wanted = min(limit, _FIRST_ROWS)
    while wanted > 0:
        chunk = _read_rows(connection, execution_id, after, wanted)
        records += chunk
        if len(chunk) < wanted:
            break
        after = chunk[-1].number
        characters += sum([len(record.data) for record in chunk])
        room = (max_bytes - characters) * len(records) // characters
        wanted = min(limit - len(records), room)
    return records


def _read_rows(
    connection: sa.Connection, execution_id: str, after: int, limit: int
) -> list[LogRecord]:
    row = connection.exec_driver_sql(PAGE, (execution_id, after, limit)).one_or_none()
    if row is None:
        raise UnknownExecution(execution_id)
    trimmed_through, numbers, types, data = row
    if after < trimmed_through:
        raise CursorExpired(execution_id, trimmed_through)
    if numbers is None:
        return []
    return list(map(LogRecord, map(int, numbers.split(" ")), types.split(" "), data.split("\n")))


def read_head(connection: sa.Connection, *, execution_id: str) -> LogHead:
    """See :meth:`EventLog.head`."""
    row = connection.exec_driver_sql(HEAD, (execution_id,)).one_or_none()
    if row is None:
        raise UnknownExecution(execution_id)
    status, ended, trimmed_through, last_number, workspace = row
    return LogHead(execution_id, last_number, trimmed_through, status, bool(ended), workspace)
