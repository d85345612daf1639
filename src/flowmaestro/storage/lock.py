"""One server on one SQLite file: the second says so and stops."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from flowmaestro.storage.errors import DatabaseLocked, DatabaseUnusable
from flowmaestro.storage.url import database_path, require_folder

PATIENCE_SECONDS = 0.25


class DatabaseLock:
    """Holds a database until :meth:`release`, the end of a ``with`` block, or of the process."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self._lock = lock

    def release(self) -> None:
        """Give the database up; doing so again does nothing."""
        self._lock.release(force=True)

    def __enter__(self) -> DatabaseLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def lock_database(url: str) -> DatabaseLock:
    """Take the database for one server.

    The lock is the operating system's, on the file ``DATABASE.lock`` beside the database, so it
    ends with the process however that ends. Commands that only read or write single rows
    (``flowmaestro keys``) do not take it. Who only looks whether it is free has it for an instant,
    and that is waited for.

    Raises:
        DatabaseLocked: another process holds it.
        DatabaseUnusable: the lock file cannot be made, e.g. no such folder.
        UnsupportedDatabase: see :func:`~flowmaestro.storage.url.database_path`.
    """
    # Two paths to one file must meet at one lock.
    path = database_path(url).resolve()
    require_folder(path)
    lock = FileLock(
        f"{path}.lock",
        timeout=PATIENCE_SECONDS,
        poll_interval=PATIENCE_SECONDS / 10,
        is_singleton=False,
        thread_local=False,
    )
    try:
        lock.acquire()
    except Timeout as error:
        raise DatabaseLocked(path) from error
    except OSError as error:
        raise DatabaseUnusable(str(path), error.strerror or str(error)) from error
    return DatabaseLock(path, lock)
