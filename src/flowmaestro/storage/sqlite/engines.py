"""SQLAlchemy engines on one SQLite file: one for the writer, one for the readers."""

from __future__ import annotations

import json
import sqlite3
import time
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from flowmaestro.storage.options import StorageOptions

LOCK_POLL_SECONDS = 0.01
_to_json = partial(json.dumps, allow_nan=False, separators=(",", ":"))


def writing_engine(path: Path, options: StorageOptions) -> sa.Engine:
    """Return the engine of the writer: its transactions hold the write lock from the start, so
    that none fails half way because another process wrote in between."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"check_same_thread": False, "timeout": options.busy_timeout_ms / 1000},
        json_serializer=_to_json,
        hide_parameters=True,  # an event's data or a key's hash must not get into an error
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # Its own transaction handling would begin too late; `begin` below is ours.
        connection.isolation_level = None
        # WAL: readers and the writer do not wait for each other. FULL: a commit is on the disk
        # when it returns, also after a power cut.
        _enter_wal(connection, options.busy_timeout_ms / 1000)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Every so many pages (32 MiB) the WAL goes into the database. At SQLite's own 1,000 the
        # same pages are copied again and again: a third of the appends' speed.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if options.max_database_bytes is not None:
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            pages = max(1, options.max_database_bytes // page_size)
            connection.execute(f"PRAGMA max_page_count = {pages}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reading_engine(path: Path, options: StorageOptions) -> sa.Engine:
    """Return the engine of the readers: each statement sees one committed state, and those of
    :func:`snapshot` see the same one."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=options.reader_threads,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": options.busy_timeout_ms / 1000},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")

    return engine


def snapshot(connection: sa.Connection) -> None:
    """Let the statements that follow on a reader's *connection* see one and the same state."""
    connection.exec_driver_sql("BEGIN")


def _enter_wal(connection: sqlite3.Connection, timeout_seconds: float) -> None:
    """Set the database to WAL, which stays so in the file.

    SQLite does not wait for another process's lock here, as it does elsewhere: two that create one
    database at once would meet.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(LOCK_POLL_SECONDS)
