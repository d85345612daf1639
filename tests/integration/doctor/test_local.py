"""What ``flowmaestro doctor`` finds on a machine and in a database, whole and broken."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.main.doctor.findings import Finding
from flowmaestro.main.doctor.local import check_local
from flowmaestro.storage import Storage
from tests.support import api
from tests.support.server import create_key, live_server

CHECKS = [
    "python",
    "sqlite",
    "settings",
    "nodes",
    "database.permissions",
    "database.space",
    "database.wal",
    "database.file_system",
    "database.sync",
    "database",
    "database.schema",
    "database.journal",
    "database.pages",
    "database.logs",
    "clock",
    "keys",
    "workflows",
    "providers",
    "server.lock",
    "server.descriptors",
]
MACHINE = {"database.file_system", "database.space", "database.sync", "server.descriptors"}
"""What depends on the machine that the tests run on."""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database that a server has used: a workflow, a key, two executions."""
    folder = tmp_path / "data"
    folder.mkdir()
    async with live_server(folder) as server, server.client() as client:
        workflow = await api.create(client, api.greeting())
        for name in ("Ada", "Grace"):
            await api.finish(client, await api.execute(client, workflow, name=name))
    path = folder / "flowmaestro.db"
    path.chmod(0o600)
    return path


def findings(path: Path, **options: Any) -> dict[str, Finding]:
    """Return what the doctor finds, by check."""
    found = list(check_local(str(path), **{"full": False, **options}))
    return {finding.check: finding for finding in found}


def states(found: dict[str, Finding]) -> dict[str, str]:
    """Return the checks that are not all right, but for what the machine decides."""
    return {
        check: finding.state
        for check, finding in found.items()
        if finding.state != "ok" and check not in MACHINE
    }


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("full", [False, True])
def test_of_a_database_that_is_as_it_should_be_all_is_well(path: Path, full: bool) -> None:
    found = findings(path, full=full)
    assert list(found) == CHECKS
    assert states(found) == {}
    assert "2 executions (all of them)" in found["database.logs"].text
    assert "one can start" in found["server.lock"].text


def test_what_is_not_well_comes_with_advice(path: Path) -> None:
    execute(path, "DELETE FROM api_keys", "DELETE FROM events WHERE number = 2")
    for finding in findings(path).values():
        assert (finding.advice is None) == (finding.state == "ok")


@pytest.mark.parametrize(
    ("statement", "check", "state", "text"),
    [
        ("DELETE FROM events WHERE number = 3", "database.logs", "problem", "a gap"),
        (
            "UPDATE executions SET status = 'failed' WHERE log_id = 1",
            "database.logs",
            "problem",
            "its row says failed",
        ),
        ("UPDATE api_keys SET revoked_at = 1", "keys", "warning", "no API key opens anything"),
        (
            "UPDATE executions SET created_at = created_at + 86400000",
            "clock",
            "problem",
            "seconds from now",
        ),
        (
            "UPDATE workflow_versions SET document = replace(document, 'transform', 'translate')",
            "workflows",
            "problem",
            "no module provides node type 'translate'",
        ),
        (
            "UPDATE workflow_versions SET document = replace(document, 'transform', 'ai_chat')",
            "providers",
            "warning",
            "no settings for provider 'openai'",
        ),
    ],
)
def test_what_is_wrong_in_the_database_is_found(
    path: Path, statement: str, check: str, state: str, text: str
) -> None:
    execute(path, statement)
    found = findings(path)
    assert states(found) == {check: state}
    assert text in found[check].text


def test_a_newer_schema_and_tables_of_others_are_told_apart(path: Path, tmp_path: Path) -> None:
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    found = findings(path)
    assert states(found) == {"database": "problem"}
    assert "newer version" in found["database"].text
    execute(tmp_path / "songs.db", "CREATE TABLE songs (name)")
    assert "not a database of FlowMaestro" in findings(tmp_path / "songs.db")["database"].text


def test_damaged_pages_are_found(path: Path) -> None:
    execute(path, "VACUUM")
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'events'"
        ).fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
    found = findings(path)
    assert found["database.pages"].state == "problem"
    assert "restore" in str(found["database.pages"].advice)
    assert "database.logs" not in found, "what is read from damaged pages says nothing"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Not a database. " * 200)
    (tmp_path / "notes.txt").chmod(0o600)
    assert states(findings(tmp_path / "notes.txt")) == {"database": "problem"}


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert states(findings(tmp_path / "nowhere.db")) == {"database": "problem"}
    assert list(tmp_path.iterdir()) == []


def test_permissions_that_let_others_read_or_write_are_told(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o644)
    assert states(findings(path)) == {"database.permissions": "warning"}
    path.chmod(0o666)
    assert states(findings(path)) == {"database.permissions": "problem"}


async def test_a_key_that_expires_soon_is_named(path: Path) -> None:
    async with await Storage.open(str(path)) as storage:
        await create_key(storage, expires_at=datetime.now(UTC) + timedelta(days=3))
        await create_key(storage, expires_at=datetime.now(UTC) + timedelta(days=300))
    found = findings(path)
    assert states(found) == {"keys": "warning"}
    assert "3 usable" in found["keys"].text
    assert found["keys"].text.count("'test' on ") == 1


def test_settings_that_cannot_be_used_are_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWMAESTRO_PORT", "many")
    found = findings(path)
    assert states(found) == {"settings": "problem"}
    assert "FLOWMAESTRO_PORT" in found["settings"].text
    monkeypatch.setenv("FLOWMAESTRO_PORT", "8000")
    monkeypatch.setenv("FLOWMAESTRO_NODES", "no_such_module")
    found = findings(path)
    assert states(found) == {"nodes": "problem"}
    assert "no_such_module" in found["nodes"].text


def test_more_streams_than_files_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWMAESTRO_MAX_STREAMS", "2000000000")
    found = findings(path)["server.descriptors"]
    assert found.state in ("problem", "ok")
    assert (found.state == "ok") == ("any number" in found.text)
