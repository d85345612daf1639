"""Backup: a copy of the database as it is at one moment, under a running server."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from flowmaestro.storage.errors import BackupFailed, DatabaseUnusable
from flowmaestro.storage.sqlite.faults import describe
from flowmaestro.storage.upkeep.files import (
    Progress,
    copy_database,
    partial_file,
    require_space,
    side_files,
    sync,
)
from flowmaestro.storage.upkeep.inspection import Summary, inspect
from flowmaestro.storage.url import database_path


def _silent(_done: int, _total: int) -> None:
    pass


def back_up(
    url: str, target: Path, *, force: bool = False, progress: Progress = _silent
) -> Summary:
    """Copy the database that *url* names to the file *target*.

    The copy is what was committed at one moment. A server that runs is not disturbed: it goes on
    writing, and its WAL grows by what it writes until the copy is done. The file gets its name
    after it was checked and is on the disk; until then, and after any failure, there is none, or
    the one that was there before.

    Args:
        url: the database.
        target: the backup. It will be readable by its owner only.
        force: whether it may take the place of a file that is there.
        progress: is told how far the copy has come.

    Returns:
        What is in the backup.

    Raises:
        DatabaseUnusable: the database cannot be read, is damaged or none of ours.
        BackupFailed: the backup cannot be written, or is there already.
        StorageUnavailable: the database cannot be read now.
    """
    path = database_path(url)
    target = target.absolute()
    summary = inspect(path, quick_check=False)
    _check_target(path, target, force=force)
    try:
        require_space(target.parent, summary.size_bytes)
        with partial_file(target) as partial:
            copy_database(path, partial, progress)
            copied = inspect(partial, quick_check=True)
            _give_name(partial, target, force=force)
            sync(target.parent)
    except BlockingIOError as error:
        raise BackupFailed(target, f"another process is writing {target}.partial") from error
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise BackupFailed(target, error.strerror or str(error)) from error
    except sqlite3.Error as error:
        raise BackupFailed(target, describe(error)[1]) from error
    except DatabaseUnusable as error:
        raise BackupFailed(target, f"the copy is not whole: {error.reason}") from error
    return Summary(target, copied.revision, copied.size_bytes, copied.executions, copied.unfinished)


def _check_target(path: Path, target: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise BackupFailed(target, f"there is no folder {target.parent}")
    if target.is_dir():
        raise BackupFailed(target, "it is a folder: name a file in it")
    own = path.resolve()
    if target.resolve() in (own, own.with_name(f"{own.name}.lock"), *side_files(own)):
        raise BackupFailed(target, "it belongs to the database itself")
    if not force and os.path.lexists(target):
        raise _exists(target)


def _give_name(partial: Path, target: Path, *, force: bool) -> None:
    if not force:
        # Unlike a rename, a link never takes the place of a file that has come there meanwhile.
        with contextlib.suppress(PermissionError, NotImplementedError):
            os.link(partial, target)
            partial.unlink()
            return
        if os.path.lexists(target):  # a file system without links
            raise FileExistsError
    partial.replace(target)


def _exists(target: Path) -> BackupFailed:
    return BackupFailed(target, "there is such a file already (--force replaces it)")
