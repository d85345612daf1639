"""The audit of the logs, and the state of the lock, as an operator's tools see them."""

from __future__ import annotations

import fcntl
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from flowmaestro.storage import DatabaseLocked, Storage, lock_database
from flowmaestro.storage.upkeep import LogAudit, audit_logs, lock_state, open_to_read
from tests.support.storage import (
    cancelled,
    completed,
    create_execution,
    failed,
    note,
    started,
)

HOLD = """
import sys
from flowmaestro.storage import lock_database
lock = lock_database(sys.argv[1])
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with one execution of each status."""
    path = tmp_path / "flowmaestro.db"
    async with await Storage.open(str(path)) as storage:
        for name in ("pending", "running", "completed", "failed", "cancelled", "trimmed"):
            await create_execution(storage, id=f"exec_{name}", definitions={})
        for name, end in (("completed", completed), ("failed", failed), ("cancelled", cancelled)):
            log = f"exec_{name}"
            entries = [started(log), note(log), end(log)]
            await storage.log.append(log, entries if name != "cancelled" else [end(log)])
        await storage.log.append("exec_running", [started("exec_running"), note("exec_running")])
        log = "exec_trimmed"
        await storage.log.append(log, [started(log), note(log), note(log), completed(log)])
    execute(path, "DELETE FROM events WHERE log_id = 6 AND number <= 2")
    execute(path, "UPDATE executions SET trimmed_through = 2 WHERE log_id = 6")
    return path


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def audit(path: Path, sample: int | None = None) -> LogAudit:
    with closing(open_to_read(path)) as connection:
        return audit_logs(connection, sample=sample)


def test_logs_as_the_server_writes_them_have_no_faults(path: Path) -> None:
    found = audit(path)
    assert found.faults == []
    assert (found.executions, found.complete) == (6, True)
    assert found.events == 3 + 3 + 1 + 2 + 2


@pytest.mark.parametrize(
    ("statement", "execution_id", "problem"),
    [
        ("DELETE FROM events WHERE log_id = 3 AND number = 2", "exec_completed", "a gap"),
        ("DELETE FROM events WHERE log_id = 3 AND number = 1", "exec_completed", "begins at 2"),
        ("DELETE FROM events WHERE log_id = 3 AND number = 3", "exec_completed", "no terminal"),
        (
            "INSERT INTO events (log_id, number, type, data) "
            "SELECT log_id, 4, type, data FROM events WHERE log_id = 3 AND number = 2",
            "exec_completed",
            "events follow its terminal event, number 3",
        ),
        (
            "INSERT INTO events (log_id, number, type, data) "
            "SELECT log_id, 4, type, data FROM events WHERE log_id = 3 AND number = 3",
            "exec_completed",
            "2 terminal events",
        ),
        (
            "UPDATE executions SET status = 'failed' WHERE log_id = 3",
            "exec_completed",
            "its row says failed, and its log completed",
        ),
        (
            "UPDATE executions SET outputs = '{\"a\": 1}' WHERE log_id = 3",
            "exec_completed",
            "does not say what its terminal event says",
        ),
        (
            "UPDATE executions SET error = 'Another.' WHERE log_id = 4",
            "exec_failed",
            "does not say what its terminal event says",
        ),
        (
            "UPDATE executions SET completed_at = NULL, status = 'running' WHERE log_id = 5",
            "exec_cancelled",
            "its row says running",
        ),
        (
            "UPDATE executions SET started_at = 5 WHERE log_id = 2",
            "exec_running",
            "when its log says that it started",
        ),
        ("UPDATE executions SET status = 'pending' WHERE log_id = 2", "exec_running", "started"),
        (
            "UPDATE executions SET status = 'running' WHERE log_id = 1",
            "exec_pending",
            "not that it started",
        ),
        (
            "UPDATE executions SET definitions = '{\"wf_gone\": 3}' WHERE log_id = 1",
            "exec_pending",
            "version 3 of 'wf_gone' is not there",
        ),
        ("DELETE FROM events WHERE log_id = 6 AND number = 3", "exec_trimmed", "begins at 4"),
        (
            "UPDATE events SET data = '{}' WHERE log_id = 3 AND number = 3",
            "exec_completed",
            "its terminal event cannot be read",
        ),
    ],
)
def test_each_broken_promise_is_found(
    path: Path, statement: str, execution_id: str, problem: str
) -> None:
    execute(path, statement)
    faults = audit(path).faults
    assert {fault.execution_id for fault in faults} == {execution_id}
    assert any(problem in fault.problem for fault in faults), faults


def test_a_sample_is_the_newest_and_the_unfinished(path: Path) -> None:
    found = audit(path, sample=1)
    assert (found.executions, found.complete) == (2, False)
    execute(path, "UPDATE executions SET status = 'running' WHERE log_id = 1")
    assert [fault.execution_id for fault in audit(path, sample=1).faults] == ["exec_pending"]


def test_the_lock_of_a_running_process_is_seen_and_left_alone(path: Path) -> None:
    arguments = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        state = lock_state(str(path))
        assert state.held
        assert state.process_id in (process.pid, None)
        assert state.problem is None
        process.kill()
    assert not lock_state(str(path)).held


def test_without_a_lock_file_none_is_made(path: Path) -> None:
    assert not lock_state(str(path)).held
    assert not path.with_name("flowmaestro.db.lock").exists()


def test_a_server_waits_for_who_only_looks_at_its_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowmaestro.storage.lock.PATIENCE_SECONDS", 10.0)
    lock_database(str(path)).release()
    lock_file = path.with_name("flowmaestro.db.lock")
    outcome: list[str] = []

    def take() -> None:
        try:
            with lock_database(str(path)):
                outcome.append("taken")
        except DatabaseLocked:
            outcome.append("refused")

    real_flock = fcntl.flock
    refused = threading.Event()

    def flock(descriptor: int, operation: int) -> None:
        try:
            real_flock(descriptor, operation)
        except OSError:
            refused.set()
            raise

    with lock_file.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(fcntl, "flock", flock)
        thread = threading.Thread(target=take)
        thread.start()
        assert refused.wait(10)
    thread.join(20)
    assert outcome == ["taken"]


def test_a_database_in_a_folder_that_cannot_be_written_is_read(path: Path) -> None:
    before = sorted(path.parent.iterdir())
    path.parent.chmod(0o500)
    try:
        with closing(open_to_read(path)) as connection:
            assert connection.execute("SELECT count(*) FROM executions").fetchone() == (6,)
    finally:
        path.parent.chmod(0o700)
    assert set(before) <= set(path.parent.iterdir())
