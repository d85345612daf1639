"""An upgrade that is killed anywhere leaves the old schema or the new one, and all of the data."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.storage import Storage
from flowmaestro.storage.migrations import REVISIONS
from tests.support.kill_points import DATABASE, kill_at_every_step, with_further_revision
from tests.support.schema_fixture import schema_fixture

Contents = dict[str, list[tuple[Any, ...]]]


def contents(path: Path) -> Contents:
    """Return the schema and every row of a database, every page of which is whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        found = {
            "schema": connection.execute(
                "SELECT name, sql FROM sqlite_schema ORDER BY 1"
            ).fetchall()
        }
        for name, _ in found["schema"]:
            kinds = connection.execute(
                "SELECT type FROM sqlite_schema WHERE name = ?", (name,)
            ).fetchone()
            if kinds == ("table",):
                found[name] = connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()
        return found


async def open_and_close(path: Path) -> None:
    await (await Storage.open(str(path))).aclose()


def make_old(path: Path, start: str) -> None:
    """Make a database as it is before any table, or at a revision."""
    if start != "nothing":
        schema_fixture(start).load(path)


@pytest.mark.parametrize("start", ["nothing", *REVISIONS[:-1]])
async def test_it_is_done_or_not(tmp_path: Path, start: str) -> None:
    template = tmp_path / "template"
    template.mkdir()
    make_old(template / DATABASE, start)
    before = contents(template / DATABASE)
    folders = kill_at_every_step("upgrade", template, tmp_path / "copies")
    after = contents(folders[-1] / DATABASE)
    assert before != after
    assert len(folders) > 5
    for folder in folders:
        assert contents(folder / DATABASE) in (before, after)
        await open_and_close(folder / DATABASE)
        assert contents(folder / DATABASE) == after


async def test_a_table_that_others_refer_to_can_be_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    schema_fixture(REVISIONS[-1]).load(template / DATABASE)
    before = contents(template / DATABASE)
    folders = kill_at_every_step("upgrade-further", template, tmp_path / "copies")
    after = contents(folders[-1] / DATABASE)
    assert after["events"] == before["events"]
    assert [row[:-1] for row in after["executions"]] == before["executions"]
    assert {row[-1] for row in after["executions"]} == {5, 7}
    assert len(after["notes"]) == len(before["executions"])
    assert after["alembic_version"] == [("9999",)]
    with_further_revision(monkeypatch.setattr)
    for folder in folders:
        assert contents(folder / DATABASE) in (before, after)
        await open_and_close(folder / DATABASE)
        assert contents(folder / DATABASE) == after
