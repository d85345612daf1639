"""Whether a file is a database of ours, and whole. Nothing is written to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from flowmaestro.storage.errors import DatabaseTooNew, DatabaseUnusable
from flowmaestro.storage.migrations import REVISIONS
from flowmaestro.storage.sqlite.faults import unusable

BUSY_TIMEOUT_SECONDS = 5.0
_OURS = {"alembic_version", "executions", "events"}
_FAULTS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """What a database is, in figures."""

    path: Path
    revision: str
    size_bytes: int
    """Of its pages, what is still in the WAL included."""
    executions: int
    unfinished: int
    """Executions that are pending or running."""

    @property
    def current(self) -> bool:
        """Whether its schema is this version's; a server brings an older one up to date."""
        return self.revision == REVISIONS[-1]


def open_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, whose transactions begin when they are told to.

    Raises:
        DatabaseUnusable: there is no such file, or it cannot be opened or is no database.
        StorageUnavailable: it cannot be opened now.
    """
    if not path.is_file():
        raise DatabaseUnusable(
            str(path), "it is no file" if path.exists() else "there is no such file"
        )
    try:
        return _connect(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or _has_wal(path):
            raise unusable(error, path) from error
    except sqlite3.Error as error:
        raise unusable(error, path) from error
    # A database in WAL mode wants files beside it, even to be read, and here none can be made. Then
    # nobody else can write to it either.
    try:
        return _connect(path, "immutable=1")
    except sqlite3.Error as error:
        raise unusable(error, path) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?{mode}"
    connection = sqlite3.connect(
        address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _has_wal(path: Path) -> bool:
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > 0


def inspect(path: Path, *, quick_check: bool) -> Summary:
    """Look what database *path* is.

    Args:
        path: the file.
        quick_check: also look whether every page of it is as it should be, for which all of it is
            read.

    Raises:
        DatabaseUnusable: there is no such file, it is no database of ours, or it is damaged;
            ``DatabaseTooNew``: a newer version wrote it.
        StorageUnavailable: it cannot be read now.
    """
    with closing(open_to_read(path)) as connection:
        try:
            revision = read_revision(connection, path)
            if quick_check and (faults := page_faults(connection, full=False)):
                raise DatabaseUnusable(str(path), f"it is damaged ({faults[0]})")
            connection.execute("BEGIN")
            executions, unfinished, pages, page_size = connection.execute(
                "SELECT (SELECT count(*) FROM executions), "
                "(SELECT count(*) FROM executions WHERE completed_at IS NULL), "
                "page_count, page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
        except sqlite3.Error as error:
            raise unusable(error, path) from error
    return Summary(path, revision, pages * page_size, executions, unfinished)


def read_revision(connection: sqlite3.Connection, path: Path) -> str:
    """Return the schema's revision of the database at *path*.

    Raises:
        DatabaseUnusable: it is none of ours; ``DatabaseTooNew``: a newer version wrote it.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not tables:
        raise DatabaseUnusable(str(path), "it is empty: not a database of FlowMaestro")
    if not tables >= _OURS:
        raise DatabaseUnusable(str(path), "it is not a database of FlowMaestro")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise DatabaseUnusable(str(path), "it has no schema revision: not one of FlowMaestro")
    revision = str(row[0])
    if revision not in REVISIONS:
        raise DatabaseTooNew(str(path), revision)
    return revision


def page_faults(connection: sqlite3.Connection, *, full: bool) -> list[str]:
    """Return what SQLite finds wrong with the database's pages: nothing, or a few sentences.

    *full* also compares the indexes with the tables, which takes several times as long.
    """
    check = "integrity_check" if full else "quick_check"
    rows = [str(row[0]) for row in connection.execute(f"PRAGMA {check}({_FAULTS_TOLD})")]
    return [] if rows == ["ok"] else rows
