"""Backups and restores: whole, or as if nothing had been done."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flowmaestro.storage import (
    BackupFailed,
    DatabaseLocked,
    RestoreFailed,
    Storage,
    lock_database,
)
from flowmaestro.storage.upkeep import back_up, inspect, restore
from flowmaestro.storage.upkeep.files import require_space
from tests.support.kill_points import BACKUP, DATABASE, kill_at_every_step
from tests.support.storage import completed, create_execution, note, started

WRITE_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from flowmaestro.storage import Storage
from tests.support.storage import create_execution, note

async def main():
    storage = await Storage.open(sys.argv[1])
    execution = await create_execution(storage, id=sys.argv[2])
    await storage.log.append(execution.id, [note(execution.id)])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def make_database(path: Path, *ids: str) -> None:
    """Make a database with an ended execution of each id."""
    async with await Storage.open(str(path)) as storage:
        for execution_id in ids:
            log = (await create_execution(storage, id=execution_id)).id
            await storage.log.append(log, [started(log), note(log, "x" * 5_000), completed(log)])


def leave_a_wal(path: Path, execution_id: str) -> None:
    """Store one more execution, in a process that is killed before its WAL goes into the file."""
    arguments = [sys.executable, "-c", WRITE_AND_DIE, str(path), execution_id]
    subprocess.run(arguments, check=False, cwd=Path(__file__).parents[3])
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0


def executions_in(path: Path) -> set[str]:
    """Return the ids in a database, every page of which is whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name for (name,) in connection.execute("SELECT id FROM executions")}


async def test_a_backup_holds_what_is_only_in_the_wal(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    leave_a_wal(path, "exec_2")
    summary = back_up(str(path), tmp_path / BACKUP)
    assert executions_in(tmp_path / BACKUP) == {"exec_1", "exec_2"}
    assert (summary.executions, summary.unfinished) == (2, 1)


async def test_a_backup_is_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    await make_database(tmp_path / DATABASE, "exec_1")
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(str(tmp_path / DATABASE), folder / BACKUP)
    assert [file.name for file in folder.iterdir()] == [BACKUP]
    assert stat.S_IMODE((folder / BACKUP).stat().st_mode) == 0o600
    # It can be read where nothing can be written beside it.
    with closing(sqlite3.connect(f"file:{folder / BACKUP}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_a_backup_of_a_database_that_is_written_to_is_of_one_moment(tmp_path: Path) -> None:
    async with await Storage.open(str(tmp_path / DATABASE)) as storage:
        log = (await create_execution(storage)).id
        for _ in range(10):
            await storage.log.append(log, [note(log, "x" * 1_000_000)])
        writes: list[int] = []
        steps: list[tuple[int, int]] = []

        def write_meanwhile(done: int, total: int) -> None:
            steps.append((done, total))
            with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
                connection.execute("UPDATE executions SET workflow_name = ?", (f"{len(steps)}",))
            writes.append(len(steps))

        back_up(str(tmp_path / DATABASE), tmp_path / BACKUP, progress=write_meanwhile)
    assert len(steps) > 1
    assert steps == sorted(steps), "it began anew"
    assert steps[-1][0] == steps[-1][1]
    with closing(sqlite3.connect(tmp_path / BACKUP)) as connection:
        assert connection.execute("SELECT workflow_name FROM executions").fetchall() == [
            ("Workflow",)
        ]


async def test_a_file_that_is_there_is_replaced_only_when_that_is_asked_for(
    tmp_path: Path,
) -> None:
    await make_database(tmp_path / DATABASE, "exec_1")
    (tmp_path / BACKUP).write_text("precious")
    with pytest.raises(BackupFailed, match="--force"):
        back_up(str(tmp_path / DATABASE), tmp_path / BACKUP)
    assert (tmp_path / BACKUP).read_text() == "precious"
    back_up(str(tmp_path / DATABASE), tmp_path / BACKUP, force=True)
    assert executions_in(tmp_path / BACKUP) == {"exec_1"}


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".lock"])
async def test_the_databases_own_files_are_no_place_for_a_backup(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    with pytest.raises(BackupFailed, match="belongs to the database itself"):
        back_up(str(path), tmp_path / f"{DATABASE}{suffix}", force=True)
    assert executions_in(path) == {"exec_1"}


async def test_a_backup_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    await make_database(tmp_path / DATABASE, "exec_1")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "from pathlib import Path; from flowmaestro.storage.upkeep import back_up;"
        "back_up(sys.argv[1], Path(sys.argv[2]))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / DATABASE), str(tmp_path / BACKUP)]
    failed = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "BackupFailed: No backup was made to" in failed.stderr
    assert "reading or writing the database file failed" in failed.stderr
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith(BACKUP)]


def test_room_is_looked_for_before_anything_is_written(tmp_path: Path) -> None:
    require_space(tmp_path, 1)
    with pytest.raises(OSError, match=r"has room for .* and 1000000.0 TB are needed"):
        require_space(tmp_path, 10**18)


async def test_two_backups_to_one_file_do_not_meet(tmp_path: Path) -> None:
    await make_database(tmp_path / DATABASE, "exec_1")
    refused: list[str] = []

    def back_up_again(_done: int, _total: int) -> None:
        with pytest.raises(BackupFailed) as caught:
            back_up(str(tmp_path / DATABASE), tmp_path / BACKUP)
        refused.append(caught.value.reason)

    back_up(str(tmp_path / DATABASE), tmp_path / BACKUP, progress=back_up_again)
    assert refused
    assert all("another process is writing" in reason for reason in refused)
    assert executions_in(tmp_path / BACKUP) == {"exec_1"}


@pytest.mark.parametrize("action", ["backup", "replace-backup"])
async def test_killed_at_any_step_a_backup_is_whole_or_not_there(
    tmp_path: Path, action: str
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    await make_database(template / DATABASE, "exec_old")
    if action == "replace-backup":
        back_up(str(template / DATABASE), template / BACKUP)
    await make_database(template / DATABASE, "exec_new")
    folders = kill_at_every_step(action, template, tmp_path / "copies")
    assert len(folders) > 5
    before, after = {"exec_old"}, {"exec_old", "exec_new"}
    found = [
        executions_in(folder / BACKUP) if (folder / BACKUP).exists() else set()
        for folder in folders
    ]
    assert found[-1] == after
    assert all(ids in ((before if action == "replace-backup" else set()), after) for ids in found)
    for folder in folders:
        assert executions_in(folder / DATABASE) == after
        # What was left behind is in nobody's way.
        back_up(str(folder / DATABASE), folder / BACKUP, force=True)
        assert executions_in(folder / BACKUP) == after
        assert not list(folder.glob("*.partial*"))


async def test_killed_at_any_step_a_restore_has_been_done_or_not(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    await make_database(template / DATABASE, "exec_1")
    back_up(str(template / DATABASE), template / BACKUP)
    leave_a_wal(template / DATABASE, "exec_2")
    folders = kill_at_every_step("restore", template, tmp_path / "copies")
    assert len(folders) > 10
    before, after = {"exec_1", "exec_2"}, {"exec_1"}
    found = [executions_in(folder / DATABASE) for folder in folders]
    assert found[0] == before
    assert found[-1] == after
    assert all(ids in (before, after) for ids in found)
    for folder in folders:
        restore(str(folder / DATABASE), folder / BACKUP)
        assert executions_in(folder / DATABASE) == after
        kept = [
            file
            for file in folder.glob(f"{DATABASE}.replaced-*")
            if file.suffix and not file.name.endswith(("-wal", "-shm", "-journal"))
        ]
        assert before in [executions_in(file) for file in kept]


async def test_a_restore_keeps_what_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    back_up(str(path), tmp_path / BACKUP)
    leave_a_wal(path, "exec_2")
    path.chmod(0o640)
    restored = restore(f"sqlite:///{path}", tmp_path / BACKUP)
    assert restored.replaced is not None
    assert executions_in(restored.replaced) == {"exec_1", "exec_2"}
    assert executions_in(path) == {"exec_1"}
    assert executions_in(tmp_path / BACKUP) == {"exec_1"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not [file.name for file in tmp_path.iterdir() if file.name.endswith(("-wal", "-shm"))]
    async with await Storage.open(str(path)) as storage:
        assert (await storage.executions.get("exec_1")).status == "completed"


async def test_a_restore_to_where_nothing_was(tmp_path: Path) -> None:
    await make_database(tmp_path / DATABASE, "exec_1")
    back_up(str(tmp_path / DATABASE), tmp_path / BACKUP)
    restored = restore(str(tmp_path / "new.db"), tmp_path / BACKUP)
    assert restored.replaced is None
    assert executions_in(tmp_path / "new.db") == {"exec_1"}
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600


async def test_a_restore_goes_to_the_file_that_a_link_names(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "real.db"
    real.parent.mkdir()
    await make_database(real, "exec_1")
    back_up(str(real), tmp_path / BACKUP)
    await make_database(real, "exec_2")
    link = tmp_path / "link.db"
    link.symlink_to(real)
    restore(str(link), tmp_path / BACKUP)
    assert link.is_symlink()
    assert executions_in(real) == {"exec_1"}


async def test_a_damaged_database_is_set_aside_with_its_wal(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    back_up(str(path), tmp_path / BACKUP)
    leave_a_wal(path, "exec_2")
    wal = path.with_name(f"{DATABASE}-wal").read_bytes()
    path.write_bytes(b"no database at all" * 1_000)
    restored = restore(str(path), tmp_path / BACKUP)
    assert restored.replaced is not None
    assert restored.replaced.read_bytes().startswith(b"no database at all")
    assert restored.replaced.with_name(f"{restored.replaced.name}-wal").read_bytes() == wal
    assert executions_in(path) == {"exec_1"}


async def test_nothing_is_restored_under_a_server(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    back_up(str(path), tmp_path / BACKUP)
    with lock_database(str(path)), pytest.raises(DatabaseLocked):
        restore(str(path), tmp_path / BACKUP)


async def test_nothing_is_restored_while_another_process_has_the_database(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    back_up(str(path), tmp_path / BACKUP)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM executions").fetchone()
        with pytest.raises(RestoreFailed, match="another process has the database open"):
            restore(str(path), tmp_path / BACKUP, busy_timeout_seconds=0.1)
    assert executions_in(path) == {"exec_1"}
    assert not list(tmp_path.glob("*.replaced-*"))


async def test_what_cannot_be_restored_is_refused_before_anything_is_touched(
    tmp_path: Path,
) -> None:
    path = tmp_path / DATABASE
    await make_database(path, "exec_1")
    good = tmp_path / BACKUP
    back_up(str(path), good)
    newer, damaged, other, text = (tmp_path / name for name in ("newer", "damaged", "other", "txt"))
    for copy in (newer, damaged):
        shutil.copy(good, copy)
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with damaged.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 8))
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE songs (name)")
    text.write_text("hello " * 1_000)
    before = path.stat()
    for source, message in [
        (newer, "newer version"),
        (damaged, r"damaged(?!.*restore it)"),
        (other, "not a database of FlowMaestro"),
        (text, "not an SQLite database"),
        (tmp_path / "missing", "there is no such file"),
        (tmp_path, "it is no file"),
    ]:
        said = f"the backup {re.escape(str(source))} cannot be used: .*{message}"
        with pytest.raises(RestoreFailed, match=said):
            restore(str(path), source)
    with pytest.raises(RestoreFailed, match="the database itself"):
        restore(str(path), path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert inspect(path, quick_check=True).executions == 1
