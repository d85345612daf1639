"""Two servers never run on one database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowmaestro.storage import DatabaseLocked, DatabaseUnusable, lock_database

HOLD = """
import sys
from flowmaestro.storage import lock_database
lock = lock_database(sys.argv[1])
print("locked", flush=True)
sys.stdin.read()
"""


def hold_in_another_process(url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_the_second_of_two_processes_is_told_which_file_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "flowmaestro.db"
    with hold_in_another_process(f"sqlite:///{path}") as process:
        with pytest.raises(DatabaseLocked, match="another FlowMaestro server") as caught:
            lock_database(str(path))
        assert caught.value.path == path.resolve()
        assert str(path.resolve()) in str(caught.value)
        process.kill()
        process.wait()
        # Even a process that was killed gives it up.
        lock_database(str(path)).release()


def test_it_can_be_taken_once_in_a_process_too(tmp_path: Path) -> None:
    path = tmp_path / "flowmaestro.db"
    with lock_database(str(path)), pytest.raises(DatabaseLocked):
        lock_database(f"sqlite:///{path}")
    with lock_database(str(path)) as lock:
        lock.release()
        lock.release()


def test_other_names_of_the_file_meet_the_same_lock(tmp_path: Path) -> None:
    path = tmp_path / "flowmaestro.db"
    path.touch()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with lock_database(str(path)), pytest.raises(DatabaseLocked):
        lock_database(str(link))


def test_a_folder_that_is_missing_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no folder"):
        lock_database(str(tmp_path / "missing" / "flowmaestro.db"))
