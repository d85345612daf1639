"""``flowmaestro backup`` and ``restore`` as processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowmaestro.storage import Storage
from tests.integration.cli.conftest import Run, on_a_terminal
from tests.support.server import database_url, server_process


def test_there_and_back(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "--name", "first")
    made = run("backup", "b.db")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith(f"backed up to {tmp_path / 'b.db'}: 0 executions, ")
    run("keys", "create", "--name", "second")
    restored = run("restore", "b.db")
    assert (restored.returncode, restored.stderr) == (0, "")
    first, second = restored.stdout.splitlines()
    assert first.startswith(f"restored {tmp_path / 'flowmaestro.db'}: 0 executions, ")
    replaced = Path(second.removeprefix("what was there is now "))

    def names(*arguments: str) -> set[str]:
        lines = run("keys", "list", "--json", *arguments).stdout.splitlines()
        return {json.loads(line)["name"] for line in lines}

    assert names() == {"first"}
    assert names("--database", str(replaced)) == {"first", "second"}


def test_on_a_terminal_progress_is_shown_and_goes_away(
    run: Run, command_environment: dict[str, str], tmp_path: Path
) -> None:
    run("keys", "create", "--name", "first")
    arguments = ["backup", str(tmp_path / "b.db"), "--database", str(tmp_path / "flowmaestro.db")]
    screen, code = on_a_terminal(arguments, command_environment)
    assert code == 0
    assert "backed up to" in screen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("backup", "b.db", "--database", "nowhere.db"), "there is no database at"),
        (("backup", "no/folder/b.db"), "there is no folder"),
        (("backup", "notes.txt"), "--force"),
        (("backup", "flowmaestro.db", "--force"), "belongs to the database itself"),
        (("backup", "b.db", "--database", "notes.txt"), "not an SQLite database"),
        (("backup", "b.db", "--database", "postgresql://x"), "PostgreSQL is not supported yet"),
        (("restore", "nowhere.db"), "there is no such file"),
        (("restore", "notes.txt"), "not an SQLite database"),
        (("restore", "flowmaestro.db"), "the database itself"),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "notes.txt").write_text("Not a database. " * 200)
    await (await Storage.open(str(tmp_path / "flowmaestro.db"))).aclose()
    before = {file.name for file in tmp_path.iterdir()}
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert {file.name for file in tmp_path.iterdir() if not file.name.endswith("-wal")} <= {
        *before,
        "flowmaestro.db-shm",
    }


def test_a_running_server_is_backed_up_and_not_restored_under(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with server_process(folder):
        url = database_url(folder)
        assert run("backup", "b.db", "--database", url).returncode == 0
        refused = run("restore", "b.db", "--database", url)
        assert refused.returncode == 1
        assert "another FlowMaestro server is using it" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
