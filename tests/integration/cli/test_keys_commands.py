"""The key commands as processes, against a database file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowmaestro.api.keys import BUNDLES, hash_key, key_environment
from flowmaestro.storage import Storage
from tests.integration.cli.conftest import Run, on_a_terminal


def test_create_prints_the_key_alone_and_stores_its_hash(run: Run, tmp_path: Path) -> None:
    result = run(
        "keys", "create", "--name", "ci", "--bundle", "read-only", "--environment", "test",
        "--workspace", "blue", "--expires-in", "30d", "--database", "keys.db",
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    key = result.stdout.removesuffix("\n")
    assert key_environment(key) == "test"
    assert key.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("keys.db*"))


async def test_what_was_created_is_what_the_server_finds(run: Run, tmp_path: Path) -> None:
    key = run(
        "keys", "create", "--name", "ci", "--scopes", "executions:read,workflows:read",
        "--rate-limit-per-minute", "0", "--rate-limit-per-day", "9", "--database", "keys.db",
    ).stdout.strip()  # fmt: skip
    async with await Storage.open(str(tmp_path / "keys.db")) as storage:
        stored = await storage.keys.find(hash_key(key))
    assert stored is not None
    assert stored.scopes == {"executions:read", "workflows:read"}
    assert (stored.rate_limit_per_minute, stored.rate_limit_per_day) == (0, 9)
    assert (stored.name, stored.workspace, stored.environment) == ("ci", "default", "live")
    assert stored.expires_at is None


def test_list_and_revoke(run: Run) -> None:
    key = run("keys", "create", "--name", "ci", "--bundle", "full-access").stdout.strip()
    [listed] = run("keys", "list").stdout.splitlines()
    key_id, shown, name, workspace, state, scopes, expires = listed.split("\t")
    assert shown == f"{key[:12]}…"
    assert key not in listed
    assert (name, workspace, state, expires) == ("ci", "default", "active", "-")
    assert scopes.count(",") == 4
    assert run("keys", "revoke", key_id).returncode == 0
    described = json.loads(run("keys", "list", "--json").stdout)
    assert described["state"] == "revoked"
    assert key not in json.dumps(described)
    assert run("keys", "list", "--workspace", "other").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "x", "--scopes", ","), "--bundle"),
        (("--name", "x", "--scopes", "executions:rea"), "'executions:rea'"),
        (("--name", "x", "--bundle", "all"), "read-only"),
        (("--name", "x", "--bundle", "read-only", "--expires-in", "soon"), "30d"),
        (("--name", " ", "--bundle", "read-only"), "--name"),
        (("--bundle", "read-only"), "--name"),
    ],
)
def test_a_wrong_create_says_what_is_right(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("keys", "create", *arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.glob("*.db")) == []


async def test_without_a_choice_a_key_may_run_and_watch_workflows(run: Run, tmp_path: Path) -> None:
    result = run("keys", "create", "--name", "x", "--database", "keys.db")
    assert (result.returncode, result.stderr) == (0, "")
    async with await Storage.open(str(tmp_path / "keys.db")) as storage:
        stored = await storage.keys.find(hash_key(result.stdout.strip()))
    assert stored is not None
    assert stored.scopes == BUNDLES["workflow-executor"]


def test_on_a_terminal_it_says_what_it_chose(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    create = ["keys", "create", "--name", "x", "--database", str(tmp_path / "keys.db")]
    screen, code = on_a_terminal(create, command_environment)
    assert code == 0
    assert "workflow-executor" in screen
    screen, code = on_a_terminal([*create, "--bundle", "read-only"], command_environment)
    assert code == 0
    assert len(screen.split()) == 1


def test_revoking_a_key_that_is_not_there(run: Run) -> None:
    run("keys", "create", "--name", "x")
    result = run("keys", "revoke", "key_none")
    assert result.returncode == 1
    assert "key_none" in result.stderr


@pytest.mark.parametrize("arguments", [("list",), ("revoke", "key_none")])
def test_only_create_makes_a_database(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run("keys", *arguments, "--database", "nowhere.db")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: there is no database at {tmp_path / 'nowhere.db'} (")
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.glob("nowhere*")) == []


def test_a_file_that_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Not a database. " * 200)
    result = run("keys", "list", "--database", "notes.txt")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")


def test_without_the_server_extras_it_says_what_to_install(run: Run, tmp_path: Path) -> None:
    # A module of this name that cannot be imported stands for one that is not installed.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['sqlalchemy'] = None\n")
    for command in (("serve",), ("keys", "list")):
        result = run(*command, PYTHONPATH=str(tmp_path))
        assert result.returncode == 1
        assert 'pip install "flowmaestro[server]"' in result.stderr
        assert len(result.stderr.splitlines()) == 1
