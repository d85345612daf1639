"""Restore: a backup takes the database's place, at once or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flowmaestro.storage.errors import DatabaseUnusable, RestoreFailed
from flowmaestro.storage.lock import lock_database
from flowmaestro.storage.sqlite.faults import DAMAGED_ADVICE, describe
from flowmaestro.storage.upkeep.files import (
    Progress,
    copy_database,
    partial_file,
    require_space,
    side_files,
    sync,
)
from flowmaestro.storage.upkeep.inspection import BUSY_TIMEOUT_SECONDS, Summary, inspect
from flowmaestro.storage.url import database_path, require_folder

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_FULL")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and what it took the place of."""

    summary: Summary
    replaced: Path | None
    """Where the database that was there is now; ``None`` if there was none."""


def _silent(_done: int, _total: int) -> None:
    pass


def restore(
    url: str,
    source: Path,
    *,
    progress: Progress = _silent,
    busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
) -> Restored:
    """Put the backup *source* in the place of the database that *url* names.

    The database is held as a server holds it, so none runs meanwhile. What was there is kept
    beside it, under its name with ``.replaced-`` and the moment. However this ends, a kill or a
    power cut included, the database is what it was or the backup, whole.

    Args:
        url: the database; there need be none yet.
        source: the backup, which stays as it is.
        progress: is told how far its copy has come.
        busy_timeout_seconds: how long to wait for another process that has the database open.

    Raises:
        DatabaseLocked: a server runs on the database.
        RestoreFailed: *source* cannot be read, is damaged or none of ours, or a newer version wrote
            it; another process has the database open, or the disk is full.
        StorageUnavailable: *source* cannot be read now.
    """
    path = database_path(url).resolve()
    require_folder(path)
    if path.is_dir():
        raise RestoreFailed(path, "it is a folder")
    source = source.absolute()
    try:
        needed = inspect(source, quick_check=True).size_bytes
    except DatabaseUnusable as error:
        reason = error.reason.removesuffix(DAMAGED_ADVICE)
        raise RestoreFailed(path, f"the backup {source} cannot be used: {reason}") from error
    if path.exists() and path.samefile(source):
        raise RestoreFailed(path, "the backup is the database itself")
    lock_file = path.with_name(f"{path.name}.lock")
    had_lock_file = lock_file.exists()
    with lock_database(str(path)):
        try:
            if not had_lock_file:
                _give_owner(lock_file, path if path.exists() else path.parent)
            require_space(path.parent, needed)
            with partial_file(path.with_name(f"{path.name}.restored")) as partial:
                copy_database(source, partial, progress)
                summary = inspect(partial, quick_check=True)
                replaced = _replace(path, partial, busy_timeout_seconds)
        except BlockingIOError as error:
            raise RestoreFailed(path, "another restore is under way") from error
        except OSError as error:
            raise RestoreFailed(path, error.strerror or str(error)) from error
        except sqlite3.Error as error:
            raise RestoreFailed(path, describe(error)[1]) from error
        except DatabaseUnusable as error:
            raise RestoreFailed(path, f"the copy is not whole: {error.reason}") from error
    return Restored(
        Summary(path, summary.revision, summary.size_bytes, summary.executions, summary.unfinished),
        replaced,
    )


def _replace(path: Path, partial: Path, busy_timeout_seconds: float) -> Path | None:
    if not path.exists():
        _give_owner(partial, path.parent)
        for leftover in side_files(path):
            leftover.unlink(missing_ok=True)
        partial.replace(path)
        sync(path.parent)
        return None
    _give_owner(partial, path)
    partial.chmod(path.stat().st_mode & 0o777)
    replaced = _free_name(path)
    with _alone(path, busy_timeout_seconds):
        try:
            os.link(path, replaced)
        except OSError:  # a file system without links
            shutil.copy2(path, replaced)
            sync(replaced)
        # Of a database that is whole there are none left. What is left belongs to a damaged one,
        # and SQLite would take it for the new one's.
        for suffix_of, side_file in zip(side_files(replaced), side_files(path), strict=True):
            with contextlib.suppress(FileNotFoundError):
                side_file.replace(suffix_of)
        sync(path.parent)
        partial.replace(path)
        sync(path.parent)
    return replaced


@contextmanager
def _alone(path: Path, busy_timeout_seconds: float) -> Iterator[None]:
    """Have the database at *path* closed to all others, and in one file, for the block.

    A damaged one is left as it is.

    Raises:
        RestoreFailed: another process has it open.
    """
    try:
        inspect(path, quick_check=False)
    except DatabaseUnusable:
        # SQLite, when it may write, would remove the WAL of a database whose head is damaged.
        yield
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}")
        try:
            # To leave WAL mode is to put the WAL into the database and to be alone with it.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "delete":  # somebody has opened it in between
                raise _in_use(path)
        except sqlite3.Error as error:
            name, reason = describe(error)
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise _in_use(path) from error
            if not name.startswith(_DAMAGED):
                raise RestoreFailed(path, reason) from error
            # Closed at once: as it closes, SQLite removes files by their names, which will be
            # those of the new database's.
            connection.close()
        yield


def _in_use(path: Path) -> RestoreFailed:
    return RestoreFailed(path, "another process has the database open (lsof shows which)")


def _free_name(path: Path) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{path.name}.replaced-{moment}"
    replaced = path.with_name(name)
    count = 1
    while replaced.exists():
        count += 1
        replaced = path.with_name(f"{name}-{count}")
    return replaced


def _give_owner(file: Path, like: Path) -> None:
    """Let root restore the database of a server that runs as somebody else."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = like.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
