"""Kills something at each of its steps in turn, each time on a fresh copy of a folder.

    python -m tests.support.kill_points ACTION TEMPLATE FOLDER

``ACTION`` runs in ``FOLDER/1``, ``FOLDER/2``, …, copies of ``TEMPLATE``, and the process that runs
it ends with SIGKILL right before its first, second, … step; the last copy is the one in which it
came to its end. A step is a call to the operating system that changes or opens a file, or an SQL
statement of an upgrade. Prints how many steps there were.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config

from flowmaestro.storage import Storage, migrations
from flowmaestro.storage.migrations import upgrade
from flowmaestro.storage.upkeep import back_up, restore

DATABASE = "flowmaestro.db"
BACKUP = "backup.db"
_STEPS = {
    "open",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.remove",
    "os.rename",
    "os.truncate",
    "sqlite3.connect",
}
_ROOT = Path(__file__).resolve().parents[2]
FURTHER_REVISION = _ROOT / "tests" / "fixtures" / "further_revision"


def kill_at_every_step(action: str, template: Path, folder: Path) -> list[Path]:
    """Do as the module says, in a process of its own; return the copies, in order."""
    command = [
        sys.executable,
        "-m",
        "tests.support.kill_points",
        action,
        str(template),
        str(folder),
    ]
    done = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return [folder / str(step) for step in range(1, int(done.stdout) + 2)]


def _backup(folder: Path) -> None:
    back_up(str(folder / DATABASE), folder / BACKUP)


def _replace_backup(folder: Path) -> None:
    back_up(str(folder / DATABASE), folder / BACKUP, force=True)


def _restore(folder: Path) -> None:
    restore(str(folder / DATABASE), folder / BACKUP)


def _upgrade(folder: Path) -> None:
    async def open_and_close() -> None:
        await (await Storage.open(str(folder / DATABASE))).aclose()

    asyncio.run(open_and_close())


def _upgrade_further(folder: Path) -> None:
    """Upgrade to a revision that only tests know."""
    with_further_revision(setattr)
    _upgrade(folder)


def with_further_revision(patch: Callable[[Any, str, Any], None]) -> None:
    """Let ``patch(module, name, value)`` add the revision of ``tests/fixtures`` to ours."""
    own_config = upgrade.config

    def config(connection: sa.Connection | None = None) -> Config:
        configuration = own_config(connection)
        own = Path(migrations.__file__).parent / "versions"
        configuration.set_main_option("path_separator", "os")
        configuration.set_main_option("version_locations", f"{own}{os.pathsep}{FURTHER_REVISION}")
        return configuration

    patch(migrations, "REVISIONS", (*migrations.REVISIONS, "9999"))
    patch(upgrade, "config", config)


ACTIONS: dict[str, Callable[[Path], None]] = {
    "backup": _backup,
    "replace-backup": _replace_backup,
    "restore": _restore,
    "upgrade": _upgrade,
    "upgrade-further": _upgrade_further,
}


class _Killer:
    def __init__(self, step: int) -> None:
        self._left = step

    def count(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def of_the_system(self, event: str, _arguments: Any) -> None:
        if event in _STEPS:
            self.count()

    def of_sql(self, *_: Any) -> None:
        self.count()


def _run(action: str, folder: Path, step: int) -> None:
    killer = _Killer(step)
    if action.startswith("upgrade"):
        sa.event.listen(sa.Engine, "before_cursor_execute", killer.of_sql)
        sa.event.listen(sa.Engine, "commit", killer.of_sql)
    else:
        sys.addaudithook(killer.of_the_system)
    ACTIONS[action](folder)


def main(action: str, template: Path, base: Path) -> int:
    """Return how many steps *action* has, having killed it before each."""
    with closing(sqlite3.connect(":memory:")):  # what is loaded with the first one is no step
        pass
    for step in itertools.count(1):
        folder = base / str(step)
        shutil.copytree(template, folder)
        child = os.fork()
        if child == 0:
            try:
                _run(action, folder, step)
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return step - 1
        if code != -signal.SIGKILL:
            raise SystemExit(f"step {step}: exit code {code}")
    raise AssertionError


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))}\n")
