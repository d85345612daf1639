"""Whether a server has a database, found out without being in its way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from flowmaestro.storage.url import database_path

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class LockState:
    """What is known of a database's lock."""

    path: Path
    """The lock file, which need not exist."""
    held: bool
    """Whether a server runs on the database."""
    process_id: int | None
    """The server's, where the system tells it."""
    problem: str | None = None
    """Why a server could not take it, even if none has it."""


def lock_state(url: str) -> LockState:
    """Return who holds the lock of the database that *url* names.

    On Linux the system is asked. Where it does not know, or does not tell (of a process in another
    container, say), a shared lock is tried for an instant, for which a server that starts just
    then waits.

    Raises:
        UnsupportedDatabase: see :func:`~flowmaestro.storage.url.database_path`.
    """
    database = database_path(url).resolve()
    path = database.with_name(f"{database.name}.lock")
    if not path.exists():
        problem = None
        if not path.parent.is_dir():
            problem = f"there is no folder {path.parent}"
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            problem = f"{path} cannot be made: {path.parent} is not writable"
        return LockState(path, held=False, process_id=None, problem=problem)
    if (process_id := _listed_holder(path)) is not None:
        return LockState(path, held=True, process_id=process_id or None)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        problem = f"{path} cannot be opened: {error.strerror}"
        return LockState(path, held=False, process_id=None, problem=problem)
    try:
        held = _is_locked(descriptor)
    finally:
        os.close(descriptor)
    problem = None if os.access(path, os.R_OK | os.W_OK) else f"{path} may not be written"
    return LockState(path, held=held, process_id=None, problem=None if held else problem)


def _listed_holder(path: Path) -> int | None:
    """Return the process that Linux lists with a lock on the file; 0 for one it does not name."""
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    status = path.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131075 0 EOF
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[3:4] == ["WRITE"] and fields[5:6] == [device]:
            return max(0, int(fields[4]))
    return None


def _is_locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: a file that is locked cannot be read
        try:
            os.read(descriptor, 1)
        except PermissionError:
            return True
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
