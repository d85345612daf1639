"""Databases that a server cannot start on: one line that says what is wrong, and exit code 1."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowmaestro.storage import Storage
from tests.support.server import ServerProcess, database_url
from tests.support.storage import completed, create_execution, note

OBEY_MODES = """
import ctypes, os, sys
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24
if sys.platform == "linux" and os.geteuid() == 0:
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            sys.exit("the capability could not be dropped")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Modes do not bind the superuser, unless it gives that up."""

SMALL_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
os.execv(sys.argv[1], sys.argv[1:])
"""


async def _store_a_log(folder: Path) -> None:
    async with await Storage.open(database_url(folder)) as storage:
        log = (await create_execution(storage)).id
        await storage.log.append(log, [note(log, "x" * 1_000)] * 200 + [completed(log)])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with some pages."""
    folder = tmp_path_factory.mktemp("template")
    asyncio.run(_store_a_log(folder))
    return folder / "flowmaestro.db"


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    yield Path(shutil.copy(template, folder))
    if folder.exists():
        folder.chmod(0o755)


def refusal(database: Path, wrapper: str = OBEY_MODES) -> str:
    """Start a server on *database*, and return the one line that it gives for not starting."""
    server = ServerProcess(
        database.parent.parent,
        {"FLOWMAESTRO_DATABASE": f"sqlite:///{database}"},
        wrapper=(sys.executable, "-c", wrapper),
    )
    server.launch()
    try:
        assert server.wait(60) == 1, server.log
    finally:
        server.process.kill()
    [line] = server.log.splitlines()
    assert line.startswith("error: ")
    assert str(database) in line
    return line


def overwrite(path: Path, offset: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * length)


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "it is no database": (
        lambda path: path.write_text("These are my notes.\n" * 1_000),
        "not an SQLite database",
    ),
    "its magic is gone": (lambda path: overwrite(path, 0, 16), "not an SQLite database"),
    "its header is damaged": (lambda path: overwrite(path, 16, 84), "its beginning is damaged"),
    "its schema is damaged": (lambda path: overwrite(path, 100, 3_900), "is damaged; restore it"),
    "half of it is missing": (
        lambda path: os.truncate(path, path.stat().st_size // 2),
        "is damaged; restore it",
    ),
    "it ends within a page": (lambda path: os.truncate(path, 5_000), "is damaged; restore it"),
    "its write-ahead log is garbage": (
        lambda path: _beside(path, "-wal").write_bytes(b"\xff" * 40_000),
        "write-ahead log",
    ),
    "it is a folder": (_replace_by_folder, "cannot be opened"),
    "its folder is missing": (lambda path: shutil.rmtree(path.parent), "there is no folder"),
    "it is read-only": (lambda path: path.chmod(0o444), "is read-only"),
    "it cannot be read": (lambda path: path.chmod(0), "cannot be opened"),
    "its folder is read-only": (lambda path: path.parent.chmod(0o555), "cannot be written"),
    "its lock file is read-only": (
        lambda path: _beside(path, ".lock").touch(0o444),
        "lock file",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_line_says_what_is_wrong_and_nothing_is_changed(database: Path, fault: str) -> None:
    damage, says = FAULTS[fault]
    damage(database)
    before = _state(database)
    assert says in refusal(database)
    assert _state(database) == before


def _state(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None


def test_a_folder_that_is_read_only_is_said_even_where_its_lock_file_is_not(database: Path) -> None:
    _beside(database, ".lock").touch()
    database.parent.chmod(0o555)
    assert "is read-only" in refusal(database) or "cannot be opened" in refusal(database)


def test_a_lock_that_another_process_keeps_is_waited_for_and_then_said(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "another process holds the database's lock" in refusal(database)


def test_a_disk_without_room_for_a_new_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    line = refusal(tmp_path / "data" / "new.db", SMALL_FILES)
    assert "writing the database file failed" in line


async def test_a_file_of_no_length_is_a_new_database(tmp_path: Path) -> None:
    (tmp_path / "flowmaestro.db").touch()
    (tmp_path / "flowmaestro.db-wal").write_bytes(bytes(32))  # made, and never written
    server = ServerProcess(tmp_path).start()
    assert server.stop() == 0
