"""The schema's revisions, and how a database gets to the newest.

Alembic takes half a second to import, so it is, only when a revision has to be run: a new database
gets its tables from ``schema`` at once (a test proves that both ways lead to the same), and one
that is up to date needs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import sqlalchemy as sa

from flowmaestro.storage.errors import DatabaseTooNew, DatabaseUnusable
from flowmaestro.storage.schema import metadata

REVISIONS = ("0001", "0002")
"""Every revision, oldest first; a test compares them with the files in ``versions/``."""


def read_revision(connection: sa.Connection) -> str | None:
    """Return the schema's revision; ``None`` before the first."""
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def bring_up_to_date(connection: sa.Connection, database: str) -> None:
    """Create the tables in an empty database, or run the revisions it lacks.

    It happens in one transaction, and two processes that start at once do it once.

    Args:
        connection: One whose transactions take the write lock at once.
        database: What to call the database in errors.

    Raises:
        DatabaseTooNew: it has a revision that this version does not know.
        DatabaseUnusable: it holds tables of another program, or rows that refer to none.
    """
    with _without_foreign_keys(connection), connection.begin():
        tables = set(sa.inspect(connection).get_table_names())
        if not tables:
            metadata.create_all(connection)
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
            connection.exec_driver_sql(
                "INSERT INTO alembic_version (version_num) VALUES (?)", (REVISIONS[-1],)
            )
            return
        if "alembic_version" not in tables:
            raise DatabaseUnusable(database, "it belongs to another program (unknown tables)")
        revision = read_revision(connection)
        if revision == REVISIONS[-1]:
            return
        if revision is not None and revision not in REVISIONS:
            raise DatabaseTooNew(database, revision)
        from flowmaestro.storage.migrations.upgrade import upgrade

        upgrade(connection)
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
            raise DatabaseUnusable(database, f"rows of {broken[0][0]} refer to rows that are gone")


@contextmanager
def _without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """Let a revision make a table anew that others refer to: SQLite has no other way to change
    one, and to drop the old one would delete what is referred to.

    That can be changed only outside of a transaction: https://sqlite.org/lang_altertable.html §7
    """
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")
