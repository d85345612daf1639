"""Both ways to the newest schema lead to the same one, and Alembic is imported only for one."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from flowmaestro.storage import Storage
from flowmaestro.storage.migrations import REVISIONS
from flowmaestro.storage.migrations.upgrade import config
from tests.support.storage import create_execution, note


async def open_and_close(path: Path) -> None:
    await (await Storage.open(str(path))).aclose()


def schema(path: Path) -> dict[str, list[str]]:
    """Return what each table and index is made of, whatever the order and the white space."""
    database = sqlite3.connect(path)
    rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [
        (REVISIONS[-1],)
    ]
    database.close()
    return {
        name: sorted(
            # A column that was added later stands behind the constraints.
            re.sub(r"\s+", " ", part).strip(" ()")
            for part in re.split(r",?\s*\n|, ", sql)
            if part.strip(" ()")
        )
        for name, sql in rows
    }


async def test_migrations_and_tables_make_the_same_schema(tmp_path: Path) -> None:
    created, migrated = tmp_path / "created.db", tmp_path / "migrated.db"
    await open_and_close(created)
    database = sqlite3.connect(migrated)
    database.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    database.close()
    async with await Storage.open(str(migrated)) as storage:
        log = (await create_execution(storage)).id
        assert len(await storage.log.append(log, [note(log)])) == 1
    assert schema(created) == schema(migrated)


OLD_EXECUTION = """
INSERT INTO executions (id, status, trimmed_through, workspace, workflow_id, workflow_name,
                        created_at, definitions, inputs)
VALUES ('exec_old', 'pending', 0, 'default', 'wf', 'Workflow', 1700000000000, '{}', '{"a": 1}')
"""


async def test_what_the_first_revision_holds_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(config(connection), "0001")
        connection.exec_driver_sql(OLD_EXECUTION)
    engine.dispose()
    async with await Storage.open(str(path)) as storage:
        [execution] = await storage.executions.unfinished()
        assert (execution.id, execution.inputs, execution.traceparent) == (
            "exec_old",
            {"a": 1},
            None,
        )
        assert len(await storage.log.append("exec_old", [note("exec_old")])) == 1


def test_every_revision_is_known_in_order() -> None:
    scripts = ScriptDirectory.from_config(config())
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


async def test_two_that_create_it_at_once_create_it_once(tmp_path: Path) -> None:
    path = tmp_path / "flowmaestro.db"
    await asyncio.gather(*(open_and_close(path) for _ in range(5)))
    assert "events" in schema(path)


IMPORTS = """
import asyncio, sys
from flowmaestro.storage import Storage

async def main():
    for _ in range(2):
        await (await Storage.open(sys.argv[1])).aclose()

asyncio.run(main())
assert "alembic" not in sys.modules
"""


def test_neither_a_new_database_nor_a_current_one_imports_alembic(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", IMPORTS, str(tmp_path / "new.db")], check=True)


async def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    async with await Storage.open(str(path)) as storage:
        await create_execution(storage)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["new.db", "new.db-wal", "new.db-shm"], 0o600)


async def test_the_mode_of_a_database_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "there.db"
    await open_and_close(path)
    path.chmod(0o640)
    await open_and_close(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
