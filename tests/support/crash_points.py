"""The instants at which a process can be stopped: before and after every step that makes something
durable.

A step is a statement that the process writes with, the commit of the transaction which that
statement is in, the news of that commit, or a node's own work. Nothing in the product knows of
this: the process under test has its SQLite connections made by :class:`TracedConnection`, and kills
itself with SIGKILL where it was told to. :data:`WRITES` names every statement there is; a test runs
all of them and fails when one is missing here or is no longer made.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import sqlalchemy as sa

from flowmaestro.storage import CommitListener, EventLog, LogRecord

Moment = Literal["before", "after"]
Action = Literal["statement", "commit", "publish", "effect"]


class Write(NamedTuple):
    """A statement that writes: how its SQL begins, and a value that tells it from its like."""

    sql: str
    value: str | None = None


_WRITING = ("INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "WITH")
_EVENTS = "INSERT INTO events"
WRITES = {
    "tables": Write("CREATE TABLE"),
    "indexes": Write("CREATE INDEX"),
    "unique indexes": Write("CREATE UNIQUE INDEX"),
    "schema revision": Write("INSERT INTO alembic_version"),
    "proof of writing": Write("DELETE FROM alembic_version WHERE false"),
    "replaced idempotency key": Write("DELETE FROM idempotency_keys WHERE idempotency_keys."),
    "idempotency key": Write("INSERT INTO idempotency_keys"),
    "execution": Write("INSERT INTO executions"),
    "first events": Write(_EVENTS, "execution:started"),
    "started row": Write("UPDATE executions SET status = 'running'"),
    "terminal event": Write(_EVENTS, "execution:completed"),
    "cancellation": Write(_EVENTS, "execution:cancelled"),
    "interruption": Write(_EVENTS, "node:retrying"),
    "events": Write(_EVENTS, "node:completed"),
    "next attempt": Write(_EVENTS, "node:started"),
    "ended row": Write("UPDATE executions SET status = ?, completed_at"),
    "workflow": Write("INSERT INTO workflows"),
    "workflow version": Write("INSERT INTO workflow_versions"),
    "deleted workflow": Write("UPDATE workflows SET deleted_at=? WHERE"),
    "replaced workflow": Write("UPDATE workflows SET"),
    "key": Write("INSERT INTO api_keys"),
    "revoked key": Write("UPDATE api_keys SET revoked_at"),
    "trimmed events": Write("DELETE FROM events"),
    "trimmed row": Write("UPDATE executions SET trimmed_through"),
    "forgotten idempotency keys": Write("DELETE FROM idempotency_keys WHERE rowid IN"),
}
"""By name; the first that fits a statement is the one it is."""


class Point(NamedTuple):
    """An instant to stop at, when it is reached for the first time."""

    moment: Moment
    action: Action
    write: str
    """A name in :data:`WRITES`; of an effect, the node."""

    def __str__(self) -> str:
        action = "" if self.action == "statement" else f"{self.action}-"
        return f"{self.moment}-{action}{self.write}".replace(" ", "-")


def around(action: Action, *writes: str) -> list[Point]:
    """Return the points before and after *action* of each of *writes*."""
    moments: tuple[Moment, Moment] = ("before", "after")
    return [Point(moment, action, write) for write in writes for moment in moments]


def write_of(sql: str, values: Iterable[Any]) -> str | None:
    """Return the name of the statement *sql* with *values*; ``None`` if it has none."""
    sql = " ".join(sql.split())
    values = set(values)
    for name, write in WRITES.items():
        if sql.startswith(write.sql) and (write.value is None or write.value in values):
            return name
    return None


def arm(point: Point | None, record_to: Path | None = None) -> None:
    """Have this process kill itself at *point*; and record what it writes to *record_to*: a line
    for each statement, with its name or with the whole of it if it has none.

    To be called before anything connects to a database.
    """
    tracer = TracedConnection.tracer = _Tracer(point, record_to)

    @sa.event.listens_for(sa.Engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        options["factory"] = TracedConnection

    on_commit = EventLog.on_commit

    def traced_on_commit(log: EventLog, listener: CommitListener) -> Callable[[], None]:
        def traced(execution_id: str, records: list[LogRecord]) -> None:
            write = write_of(_EVENTS, [record.type for record in records])
            tracer.reach("before", "publish", write)
            listener(execution_id, records)
            tracer.reach("after", "publish", write)

        return on_commit(log, traced)

    EventLog.on_commit = traced_on_commit  # type: ignore[assignment,method-assign]


def reach_effect(moment: Moment, node_id: str) -> None:
    """Say that a node is about to do its work, or has done it."""
    if (tracer := TracedConnection.tracer) is not None:
        tracer.reach(moment, "effect", node_id)


@dataclass
class _Tracer:
    point: Point | None
    record_to: Path | None

    def reach(self, moment: Moment, action: Action, write: str | None) -> None:
        if self.point == (moment, action, write):
            os.kill(os.getpid(), signal.SIGKILL)

    def record(self, line: str) -> None:
        if self.record_to is not None:
            with self.record_to.open("a") as file:
                file.write(line + "\n")


class TracedConnection(sqlite3.Connection):
    """Reaches the points of its statements and its commits."""

    tracer: ClassVar[_Tracer | None] = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.written: list[str] = []

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _TracedCursor)

    def commit(self) -> None:
        self._reach("before")
        super().commit()
        self._reach("after")
        self.written.clear()

    def rollback(self) -> None:
        self.written.clear()
        super().rollback()

    def _reach(self, moment: Moment) -> None:
        assert self.tracer is not None
        for write in self.written:
            self.tracer.reach(moment, "commit", write)


class _TracedCursor(sqlite3.Cursor):
    connection: TracedConnection

    def execute(self, sql: str, parameters: Any = ()) -> _TracedCursor:
        with _traced(self.connection, sql, parameters):
            super().execute(sql, parameters)
        return self

    def executemany(self, sql: str, rows: Iterable[Any]) -> _TracedCursor:
        rows = list(rows)
        with _traced(self.connection, sql, chain.from_iterable(rows)):
            super().executemany(sql, rows)
        return self


@contextlib.contextmanager
def _traced(connection: TracedConnection, sql: str, values: Iterable[Any]) -> Iterator[None]:
    tracer = connection.tracer
    assert tracer is not None
    write = write_of(sql, values)
    if sql.lstrip().upper().startswith(_WRITING):
        tracer.record(write or " ".join(sql.split()))
    tracer.reach("before", "statement", write)
    yield
    tracer.reach("after", "statement", write)
    if write is not None:
        connection.written.append(write)
