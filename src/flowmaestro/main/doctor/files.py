"""The database's files: may they be written, is there room, and does the disk keep its word."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.storage.upkeep.files import side_files
from flowmaestro.storage.upkeep.texts import size_text

LITTLE_SPACE_BYTES = 1_000_000_000
NO_SPACE_BYTES = 100_000_000
LARGE_WAL_BYTES = 256_000_000
"""The server lets it grow to 64 MB, and further only while somebody reads for long."""
SLOW_SYNC_MS = 50
_SYNCS = 10

_NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "drvfs", "glusterfs", "gpfs", "lustre", "nfs"),
        *("nfs4", "rclone", "s3fs", "smb2", "smb3", "smbfs", "sshfs", "vboxsf", "virtiofs"),
        *("vmhgfs-fuse",),
    }
)
_VANISHING = {"tmpfs": "memory", "ramfs": "memory", "overlay": "a container's own layer"}


def check_files(path: Path, *, max_database_bytes: int | None) -> Iterator[Finding]:
    """Yield what there is to say of the files of the database at *path*, which exists."""
    yield permissions_finding(path)
    yield space_finding(path, max_database_bytes)
    yield _wal_finding(path)
    yield file_system_finding(path, mount_table())
    yield _sync_finding(path.parent)


def permissions_finding(path: Path) -> Finding:
    """Return whether we may write the database, and nobody may read it who should not."""
    check = "database.permissions"
    who = "" if not hasattr(os, "geteuid") else f" by this user ({os.geteuid()})"
    advice = "run the server, and this, as the user that owns the database"
    for file in (path, *(found for found in side_files(path) if found.exists())):
        if not os.access(file, os.R_OK | os.W_OK):
            return problem(check, f"{file} may not be written{who}", advice)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return problem(check, f"{path.parent}, its folder, may not be written{who}", advice)
    mode = path.stat().st_mode
    if mode & 0o002:
        return problem(check, f"anybody may write it ({mode & 0o777:03o})", f"chmod 600 {path}")
    if mode & 0o004 and path.parent.stat().st_mode & 0o001:
        return warning(
            check,
            f"every user of this machine may read it ({mode & 0o777:03o}), and with it every "
            "execution",
            f"chmod 600 {path}, or 700 for its folder",
        )
    return ok(check, f"strangers may not open it ({mode & 0o777:03o})")


def space_finding(path: Path, max_database_bytes: int | None) -> Finding:
    """Return whether the database has room to grow."""
    check = "database.space"
    free = shutil.disk_usage(path.parent).free
    size = path.stat().st_size
    text = f"{size_text(size)} used, {size_text(free)} free"
    if free < NO_SPACE_BYTES:
        return problem(check, text, "make room: with a full disk executions stand still")
    if max_database_bytes is not None and size > 0.9 * max_database_bytes:
        limit = f"{text}, and the limit is {size_text(max_database_bytes)}"
        return warning(
            check, limit, "raise FLOWMAESTRO_MAX_DATABASE_BYTES, or set FLOWMAESTRO_RETENTION_DAYS"
        )
    if free < LITTLE_SPACE_BYTES:
        return warning(check, text, "make room, or set FLOWMAESTRO_RETENTION_DAYS")
    return ok(check, text)


def _wal_finding(path: Path) -> Finding:
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > LARGE_WAL_BYTES:
        return warning(
            "database.wal",
            f"{wal} has {size_text(size)}",
            "look for a process that has read the database for long (lsof); a restart of the "
            "server empties it",
        )
    return ok("database.wal", f"{size_text(size)} not yet in the database file")


def mount_table() -> list[tuple[Path, str]]:
    """Return where which kind of file system is mounted; nothing where Linux does not say."""
    found: list[tuple[Path, str]] = []
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return found
    for line in lines:  # 36 35 98:0 /root /mount/point options - type source options
        before, separator, after = line.partition(" - ")
        fields = before.split()
        if separator and len(fields) > 4:
            point = fields[4].encode().decode("unicode_escape")  # a space is \040
            found.append((Path(point), after.split()[0]))
    return found


def file_system_finding(path: Path, mounts: list[tuple[Path, str]]) -> Finding:
    """Return whether a database may live on the file system that *path* is on."""
    check = "database.file_system"
    real = path.resolve()
    kind = "unknown"
    longest = -1
    for point, found in mounts:
        # The later of two mounts on one place is the one that is seen.
        if real.is_relative_to(point) and len(point.parts) >= longest:
            longest, kind = len(point.parts), found
    if kind.removeprefix("fuse.") in _NETWORK:
        return problem(
            check,
            f"it is on a network file system ({kind}), where locks cannot be trusted",
            "move it to a local disk",
        )
    if kind in _VANISHING:
        return warning(
            check,
            f"it is in {_VANISHING[kind]} ({kind}), and gone when that is",
            "move it to a disk, or a volume",
        )
    return ok(check, kind)


def _sync_finding(folder: Path) -> Finding:
    check = "database.sync"
    times: list[float] = []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(_SYNCS):
                file.write(b"\0" * 4096)
                file.flush()
                began = time.perf_counter()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - began) * 1000)
    except OSError as error:
        return problem(
            check,
            f"{folder} cannot be written: {error.strerror or error}",
            "mend the disk, or move the database",
        )
    median = statistics.median(times)
    text = f"a write is on the disk after {median:.1f} ms"
    if median > SLOW_SYNC_MS:
        return warning(check, text, "every commit waits for that: a faster disk helps")
    return ok(check, text)
