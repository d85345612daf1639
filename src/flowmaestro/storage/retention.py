"""Retention: what is removed from the log, a little at a time so that appends go on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from flowmaestro.storage.schema import to_milliseconds
from flowmaestro.storage.sqlite.readers import Readers
from flowmaestro.storage.sqlite.writer import Writer

_ROWS_A_TRANSACTION = 500
_LOGS_A_PAGE = 500

LONG_LOGS = """
SELECT completed_at, log_id, trimmed_through,
       (SELECT max(number) FROM events WHERE events.log_id = executions.log_id) - ? AS keep_after
FROM executions
WHERE completed_at IS NOT NULL AND (completed_at, log_id) > (?, ?) AND completed_at < ?
      AND keep_after > trimmed_through
ORDER BY completed_at, log_id
LIMIT ?
"""
DELETE = "DELETE FROM events WHERE log_id = ? AND number > ? AND number <= ?"
TRIMMED = "UPDATE executions SET trimmed_through = max(trimmed_through, ?) WHERE log_id = ?"
FORGET = """
DELETE FROM idempotency_keys
WHERE rowid IN (SELECT rowid FROM idempotency_keys WHERE created_at < ? LIMIT ?)
"""


class _LongLog(NamedTuple):
    completed_at: int
    log_id: int
    trimmed_through: int
    keep_after: int
    """The number of the newest event that may go."""


class _Cut(NamedTuple):
    """The events of one log after one number, through another."""

    log_id: int
    after: int
    through: int


async def trim(
    writer: Writer, readers: Readers, older_than: datetime | None, keep_last: int
) -> int:
    """Remove all but the newest *keep_last* events of each log that ended before *older_than*;
    return how many were removed."""
    before = 2**62 if older_than is None else to_milliseconds(older_than)
    place = (-(2**62), 0)
    removed = 0
    while True:
        logs = await readers.read(
            partial(_find_long_logs, keep_last=keep_last, place=place, before=before)
        )
        for cuts in _portions(logs):
            removed += await writer.write(partial(_cut, cuts=cuts))
        if len(logs) < _LOGS_A_PAGE:
            return removed
        place = (logs[-1].completed_at, logs[-1].log_id)


async def forget_idempotency_keys(writer: Writer, before: datetime) -> None:
    """Remove the idempotency keys that were first used before that moment."""
    parameters = (to_milliseconds(before), _ROWS_A_TRANSACTION)

    def forget(connection: sa.Connection) -> int:
        return connection.exec_driver_sql(FORGET, parameters).rowcount

    while await writer.write(forget) == _ROWS_A_TRANSACTION:
        pass


def _find_long_logs(
    connection: sa.Connection, *, keep_last: int, place: tuple[int, int], before: int
) -> list[_LongLog]:
    rows = connection.exec_driver_sql(LONG_LOGS, (keep_last, *place, before, _LOGS_A_PAGE))
    return [_LongLog(*row) for row in rows]


def _portions(logs: Iterable[_LongLog]) -> Iterable[list[_Cut]]:
    """Cut what may go into portions of at most ``_ROWS_A_TRANSACTION`` events, oldest first."""
    portion: list[_Cut] = []
    room = _ROWS_A_TRANSACTION
    for log in logs:
        after = log.trimmed_through
        while after < log.keep_after:
            through = min(after + room, log.keep_after)
            portion.append(_Cut(log.log_id, after, through))
            room -= through - after
            after = through
            if not room:
                yield portion
                portion, room = [], _ROWS_A_TRANSACTION
    if portion:
        yield portion


def _cut(connection: sa.Connection, *, cuts: list[_Cut]) -> int:
    removed = 0
    for cut in cuts:
        removed += connection.exec_driver_sql(DELETE, tuple(cut)).rowcount
        connection.exec_driver_sql(TRIMMED, (cut.through, cut.log_id))
    return removed
