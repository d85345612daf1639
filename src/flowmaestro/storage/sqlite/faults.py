"""What the database's errors mean, in our words.

The names are SQLite's result codes: https://sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from flowmaestro.storage.errors import DatabaseUnusable, StorageError, StorageUnavailable

DAMAGED_ADVICE = "; restore it from a backup"

_REASONS = {
    "SQLITE_BUSY": "another process holds the database's lock",
    "SQLITE_CANTOPEN": "the database file cannot be opened",
    "SQLITE_CORRUPT": f"the database file is damaged{DAMAGED_ADVICE}",
    "SQLITE_FULL": "the disk is full, or the database has reached its size limit",
    "SQLITE_IOERR": "reading or writing the database file failed",
    "SQLITE_LOCKED": "another process holds the database's lock",
    "SQLITE_NOTADB": "the file is not an SQLite database, or its beginning is damaged",
    "SQLITE_PERM": "the database file may not be accessed",
    "SQLITE_READONLY": "the database file is read-only",
}
_HOPELESS = ("SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_READONLY")


_NOT_FAULTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)


def is_fault(error: BaseException) -> bool:
    """Return whether the database failed, rather than that the statement was wrong."""
    original = _original(error)
    return isinstance(original, sqlite3.Error) and not isinstance(original, _NOT_FAULTS)


def unavailable(error: BaseException) -> StorageUnavailable:
    """Return what *error* means to whoever wanted to write or read, with it as the cause."""
    translated = StorageUnavailable(describe(error)[1])
    translated.__cause__ = error
    return translated


def unusable(error: BaseException, path: Path) -> StorageError:
    """Return what *error* means at open, with it as the cause."""
    name, reason = describe(error)
    translated: StorageError
    if name.startswith(_HOPELESS):
        translated = DatabaseUnusable(str(path), reason)
    else:
        translated = StorageUnavailable(reason, str(path))
    translated.__cause__ = error
    return translated


def describe(error: BaseException) -> tuple[str, str]:
    """Return the name of SQLite's result code, empty for none, and what it means."""
    original = _original(error)
    name = getattr(original, "sqlite_errorname", None) or ""
    for prefix, reason in _REASONS.items():
        if name.startswith(prefix):
            return name, reason if name == prefix else f"{reason} ({name})"
    if isinstance(original, sqlite3.Error):
        return name, str(original)
    return name, f"{type(original).__name__}: {original}"


def _original(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, sa.exc.DBAPIError) else error
