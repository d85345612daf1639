"""A disk that a test can fill: a real file system of a few megabytes where one may be mounted,
elsewhere the process's own limit on the size of its files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

SIZE = "6m"


class Disk(Protocol):
    """Where a server has its database."""

    folder: Path

    def fill(self, pid: int) -> None:
        """Leave no room for a page more of the database of process *pid*."""

    def make_room(self, pid: int) -> None:
        """Undo it."""


class _SmallFileSystem:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, pid: int) -> None:
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1024))

    def make_room(self, pid: int) -> None:
        self._ballast.unlink()


class _SmallFiles:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pid: int) -> None:
        size = max(path.stat().st_size for path in self.folder.glob("*.db-wal"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def make_room(self, pid: int) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


@contextlib.contextmanager
def small_disk(folder: Path, *, mounted: bool) -> Iterator[Disk]:
    """Have *folder* be on a small disk: a *mounted* one if that is allowed here."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if mounted and os.geteuid() == 0 and _succeeds(mount):
        try:
            yield _SmallFileSystem(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        yield _SmallFiles(folder)


def _succeeds(command: list[str]) -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    return False
