"""The files of a database, and copying one while a server writes to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flowmaestro.storage.upkeep.inspection import open_to_read
from flowmaestro.storage.upkeep.texts import size_text

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)``, in pages of the database."""

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database while it is open, or after a crash."""
_PAGES_A_STEP = 2_000
"""8 MB: so often progress is told, and Ctrl-C is heard."""


def side_files(path: Path) -> list[Path]:
    """Return where SQLite would keep what belongs to the database at *path*."""
    return [path.with_name(path.name + suffix) for suffix in SIDE_FILES]


def copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy the database *source*, as it is at one moment, into the empty file *target*.

    Whoever writes to *source* goes on meanwhile. The copy is one file that needs none beside it,
    and is on the disk when this returns.

    Raises:
        DatabaseUnusable: *source* cannot be opened.
        sqlite3.Error: the disk is full, a file cannot be read or written, …
    """
    with closing(open_to_read(source)) as reading, closing(sqlite3.connect(target)) as writing:
        # A copy that was interrupted is thrown away: it needs no journal to go back with.
        writing.execute("PRAGMA journal_mode = OFF")
        writing.execute("PRAGMA synchronous = OFF")
        # SQLite's backup begins anew whenever another connection has written between two of its
        # steps: under a busy server it would never end. In a transaction that sees one state from
        # the first step to the last, there is nothing to begin anew for.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()

        def tell(_status: int, remaining: int, total: int) -> None:
            progress(total - remaining, total)

        reading.backup(writing, pages=_PAGES_A_STEP, progress=tell)
    with closing(sqlite3.connect(target)) as writing:
        # The copy of a database in WAL mode is in WAL mode: to read it would need a file beside it.
        writing.execute("PRAGMA journal_mode = DELETE")
    sync(target)


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Make an empty file that only we can read, to become *path*, and remove it at the end of the
    block, unless it was given another name.

    It is called like *path* with ``.partial`` after it, so that what a killed process left behind
    is used again by the next one.

    Raises:
        BlockingIOError: another process is making *path*.
        OSError: it cannot be made.
    """
    partial = path.with_name(f"{path.name}.partial")
    descriptor = _open_alone(partial)
    try:
        for leftover in side_files(partial):
            leftover.unlink(missing_ok=True)
        os.ftruncate(descriptor, 0)
        yield partial
    finally:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), partial.stat()):
                partial.unlink()
        os.close(descriptor)


def _open_alone(partial: Path) -> int:
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _lock(descriptor)
            # Whoever had it may have renamed or removed it between our two calls.
            if os.path.samestat(os.fstat(descriptor), partial.stat()):
                os.chmod(partial, 0o600)  # noqa: PTH101
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # there is none for Windows
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def require_space(folder: Path, needed_bytes: int) -> None:
    """Look whether *folder* has room for so many bytes.

    Raises:
        OSError: it has not, or cannot be asked.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise OSError(
            f"{folder} has room for {size_text(free)}, and {size_text(needed_bytes)} are needed"
        )


def sync(path: Path) -> None:
    """Return when what was written to the file, or to the folder's list of names, is on the
    disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():  # Windows opens no folders, and keeps their lists safe by itself
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
