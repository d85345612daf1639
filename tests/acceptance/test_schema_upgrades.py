"""A database of every revision that was ever released goes on with this version, all of it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from flowmaestro.events import EXTENSION_TYPES
from flowmaestro.storage import Idempotency, Storage, StorageOptions
from flowmaestro.storage.migrations import REVISIONS
from flowmaestro.storage.migrations.upgrade import config
from flowmaestro.storage.schema import from_milliseconds, metadata
from flowmaestro.storage.upkeep import audit_logs, open_to_read
from tests.support.api import create, execute, finish, greeting
from tests.support.schema_fixture import (
    IDEMPOTENCY_KEY,
    SchemaFixture,
    schema_fixture,
    server_environment,
)
from tests.support.server import ServerProcess, server_process

RELEASED = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][
    ::-1
]
Rows = list[dict[str, Any]]


def read(path: Path, query: str) -> Rows:
    with closing(open_to_read(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def frames(path: Path) -> dict[str, str]:
    """Return what a stream of each execution must begin with: its logged events, as frames."""
    found: dict[str, str] = {}
    for row in read(
        path,
        "SELECT id, number, type, data FROM executions JOIN events USING (log_id) "
        "ORDER BY log_id, number",
    ):
        frame = f"id: {row['number']}\nevent: {row['type']}\ndata: {row['data']}\n\n"
        found[row["id"]] = found.get(row["id"], "") + frame
    return found


async def stream(client: httpx2.AsyncClient, execution_id: str) -> str:
    """Return all the logged events of an execution, as they are streamed, from the first to the
    last."""
    response = await client.get(
        f"/api/v1/executions/{execution_id}/events",
        params={"include": ",".join(sorted(EXTENSION_TYPES))},
    )
    assert response.status_code == 200, response.text
    opening, _, rest = response.text.partition("\n\n")
    assert "event: connected" in opening
    return rest


@pytest.mark.parametrize("revision", RELEASED)
async def test_everything_in_it_is_there_and_goes_on(tmp_path: Path, revision: str) -> None:
    fixture = schema_fixture(revision)
    path = tmp_path / "flowmaestro.db"
    fixture.load(path)
    logged = frames(path)
    executions = read(path, "SELECT id, status, inputs, outputs, error FROM executions")
    assert {row["status"] for row in executions} >= {
        "pending",
        "running",
        "completed",
        "failed",
        "cancelled",
    }
    workflows = read(path, "SELECT id, name, version FROM workflows WHERE deleted_at IS NULL")
    with server_process(tmp_path, server_environment()) as server:
        async with (
            httpx2.AsyncClient(
                base_url=server.base_url, headers={"X-API-Key": fixture.key}, trust_env=False
            ) as client,
            asyncio.timeout(60),
        ):
            for row in executions:
                url = f"/api/v1/executions/{row['id']}"
                seen = await stream(client, row["id"])
                found = (await client.get(url)).json()["data"]
                assert found["inputs"] == json.loads(row["inputs"])
                if row["status"] in ("pending", "running"):
                    assert seen.startswith(logged.get(row["id"], ""))
                    assert found["status"] == "completed"
                    continue
                assert seen == logged[row["id"]]
                outputs = row["outputs"] and json.loads(row["outputs"])
                assert (found["status"], found["outputs"], found["error"]) == (
                    row["status"],
                    outputs,
                    row["error"],
                )
            listed = (await client.get("/api/v1/workflows")).json()["data"]
            assert {(one["id"], one["name"], one["version"]) for one in listed} == {
                (row["id"], row["name"], row["version"]) for row in workflows
            }
            assert (await client.get("/api/v1/workflows/deleted")).status_code == 404
            new = await create(client, greeting())
            assert (await finish(client, await execute(client, new, name="Alan")))["status"] == (
                "completed"
            )
        assert server.stop() == 0
    with closing(open_to_read(path)) as connection:
        audit = audit_logs(connection)
        assert (audit.faults, audit.executions) == ([], len(executions) + 1)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("revision", RELEASED)
async def test_its_keys_and_idempotency_records_still_count(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "flowmaestro.db"
    schema_fixture(revision).load(path)
    [record] = read(path, "SELECT * FROM idempotency_keys")
    keys = read(path, "SELECT id, workspace, revoked_at FROM api_keys")
    moment = from_milliseconds(record["created_at"]) + timedelta(hours=1)
    async with await Storage.open(
        str(path), options=StorageOptions(clock=lambda: moment)
    ) as storage:
        found = await storage.executions.find_repeated(
            record["workspace"], Idempotency(IDEMPOTENCY_KEY, record["fingerprint"])
        )
        assert found is not None
        assert found.id == record["execution_id"]
        stored = {key.id: key for key in await storage.keys.list()}
    assert set(stored) == {row["id"] for row in keys}
    for row in keys:
        assert stored[row["id"]].workspace == row["workspace"]
        assert (stored[row["id"]].revoked_at is None) == (row["revoked_at"] is None)


@pytest.mark.parametrize("revision", RELEASED)
async def test_its_schema_becomes_the_one_that_the_tables_are_declared_with(
    tmp_path: Path, revision: str
) -> None:
    path = tmp_path / "flowmaestro.db"
    schema_fixture(revision).load(path)
    await (await Storage.open(str(path))).aclose()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert read(path, "SELECT version_num FROM alembic_version") == [{"version_num": REVISIONS[-1]}]


def test_a_revision_without_a_fixture_says_how_to_make_one() -> None:
    with pytest.raises(AssertionError, match="make schema-fixture"):
        schema_fixture("none")


def test_a_fixture_holds_no_more_than_one_key() -> None:
    for revision in RELEASED:
        fixture: SchemaFixture = schema_fixture(revision)
        assert fixture.sql.count("fm_test_") - fixture.sql.count("'fm_test_") == 1


def test_a_server_stops_at_a_newer_schema_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "flowmaestro.db"
    schema_fixture(REVISIONS[-1]).load(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = read(path, "SELECT * FROM events")
    server = ServerProcess(tmp_path, server_environment())
    server.launch()
    assert server.wait(30) == 1
    [line] = server.log.splitlines()
    assert line.startswith("error: ")
    assert "a newer version of FlowMaestro wrote it (schema 9999); install that version" in line
    assert read(path, "SELECT * FROM events") == before
