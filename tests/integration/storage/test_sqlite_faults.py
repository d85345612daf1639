"""SQLite files that are full, locked, read-only or damaged: what is said, and that it passes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from flowmaestro.storage import (
    DatabaseTooNew,
    DatabaseUnusable,
    Storage,
    StorageOptions,
    StorageUnavailable,
    UnsupportedDatabase,
)
from tests.support.storage import completed, create_execution, note, read_all


async def test_a_full_database_refuses_whole_appends_and_recovers(tmp_path: Path) -> None:
    options = StorageOptions(max_database_bytes=600_000)
    async with await Storage.open(str(tmp_path / "full.db"), options=options) as storage:
        ended, log = [(await create_execution(storage)).id for _ in range(2)]
        await storage.log.append(ended, [note(ended, "x" * 1_000)] * 100 + [completed(ended)])
        heard: list[int] = []
        storage.log.on_commit(lambda _, records: heard.extend(r.number for r in records))

        async def fill() -> None:
            while True:
                await storage.log.append(log, [note(log, "x" * 1_000)] * 10)

        with pytest.raises(StorageUnavailable, match="disk is full"):
            await fill()
        before = await read_all(storage, log)
        assert before == heard == list(range(1, len(before) + 1))
        assert len(before) % 10 == 0
        # Everyone in the group is told, and all can still read.
        outcomes = await asyncio.gather(
            *(storage.log.append(log, [note(log, "x" * 100_000)]) for _ in range(5)),
            return_exceptions=True,
        )
        assert all(isinstance(outcome, StorageUnavailable) for outcome in outcomes)
        assert await read_all(storage, log) == before
        assert await storage.log.trim(None, 0) == 101
        [record] = await storage.log.append(log, [note(log)])
        assert record.number == len(before) + 1


FULL_DISK = """
import asyncio, resource, sys
from flowmaestro.storage import Storage, StorageUnavailable
from tests.support.storage import create_execution, note, read_all

async def main():
    async with await Storage.open(sys.argv[1]) as storage:
        log = (await create_execution(storage)).id
        await storage.log.append(log, [note(log)])
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
        try:
            await storage.log.append(log, [note(log, "x" * 10_000)] * 50)
        except StorageUnavailable as error:
            print(error.reason)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert await read_all(storage, log) == [1]
        await storage.log.append(log, [note(log)])
        assert await read_all(storage, log) == [1, 2]

asyncio.run(main())
"""


def test_a_write_that_fails_half_way_leaves_nothing_and_the_next_succeeds(tmp_path: Path) -> None:
    # The limit on the size of files is the process's, so that it takes one of its own.
    answer = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "limited.db")],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("reading or writing the database file failed")


async def test_a_database_locked_by_another_process_is_waited_for_then_unavailable(
    tmp_path: Path,
) -> None:
    path = tmp_path / "locked.db"
    options = StorageOptions(busy_timeout_ms=50)
    async with await Storage.open(str(path), options=options) as storage:
        log = (await create_execution(storage)).id
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageUnavailable, match="lock"):
            await storage.log.append(log, [note(log)])
        with pytest.raises(StorageUnavailable, match="lock"):
            await create_execution(storage)
        with pytest.raises(StorageUnavailable, match="lock"):
            await Storage.open(str(path), options=options)
        await storage.check()
        assert await storage.log.read(log, after=0, limit=1) == []
        other.execute("ROLLBACK")
        other.close()
        [record] = await storage.log.append(log, [note(log)])
        assert record.number == 1


async def test_a_lock_that_is_soon_released_is_not_noticed(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    async with await Storage.open(str(path)) as storage:
        log = (await create_execution(storage)).id
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        append = asyncio.create_task(storage.log.append(log, [note(log)]))
        await storage.log.head(log)
        assert not append.done()
        other.execute("ROLLBACK")
        other.close()
        assert len(await append) == 1


async def open_and_close(path: Path) -> None:
    await (await Storage.open(str(path))).aclose()


def _open_as_nobody(path: Path, reasons: multiprocessing.Queue[str]) -> None:
    if os.geteuid() == 0:
        os.setgid(65_534)
        os.setuid(65_534)
    try:
        asyncio.run(open_and_close(path))
    except DatabaseUnusable as error:
        reasons.put(error.reason)
    else:
        reasons.put("it was opened")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and file modes")
def test_a_read_only_database_is_refused_at_open(tmp_path: Path) -> None:
    path = tmp_path / "read-only.db"
    asyncio.run(open_and_close(path))
    path.chmod(0o444)
    folders = [tmp_path, *tmp_path.parents]
    modes = [(folder, folder.stat().st_mode) for folder in folders[:3]]
    for folder, _ in modes:
        folder.chmod(0o555)
    # Modes do not bind the superuser, so that the process that tries is somebody else's.
    context = multiprocessing.get_context("fork")
    reasons = context.Queue()
    process = context.Process(target=_open_as_nobody, args=(path, reasons))
    try:
        process.start()
        assert "read-only" in reasons.get(timeout=30)
    finally:
        process.join()
        for folder, mode in modes:
            folder.chmod(mode)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes.\n" * 1_000)
    with pytest.raises(DatabaseUnusable, match="not an SQLite database") as caught:
        await open_and_close(path)
    assert str(path) in str(caught.value)
    assert path.read_text() == "These are my notes.\n" * 1_000


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    with pytest.raises(DatabaseUnusable, match="another program"):
        await open_and_close(path)
    with sqlite3.connect(path) as other:
        tables = other.execute("SELECT name FROM sqlite_schema").fetchall()
    other.close()
    assert tables == [("bookmarks",)]


async def test_damage_inside_the_file_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    async with await Storage.open(str(path)) as storage:
        log = (await create_execution(storage)).id
        await storage.log.append(log, [note(log, "x" * 1_000)] * 200)
    content = bytearray(path.read_bytes())
    content[40 * 4096 :] = b"\xff" * (len(content) - 40 * 4096)
    path.write_bytes(content)
    async with await Storage.open(str(path)) as storage:
        with pytest.raises(StorageUnavailable, match="damaged"):
            await read_all(storage, log)


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    await open_and_close(path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()
    with pytest.raises(DatabaseTooNew, match="9999") as caught:
        await open_and_close(path)
    assert caught.value.revision == "9999"


async def test_a_folder_that_is_missing_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no folder"):
        await open_and_close(tmp_path / "missing" / "flowmaestro.db")


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="cannot be opened"):
        await open_and_close(tmp_path)


async def test_postgres_is_refused_without_showing_its_password() -> None:
    with pytest.raises(UnsupportedDatabase, match="not supported yet") as caught:
        await Storage.open("postgresql://me:secret@localhost/flowmaestro")
    assert "secret" not in str(caught.value)
