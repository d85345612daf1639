"""A process that is killed before or after each step of what is stored beside executions: it is
there wholly or not at all, and whoever was told that it is there was told the truth."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.storage import CursorExpired, Idempotency, Storage
from tests.crash.conftest import Prepared
from tests.support.api import greeting
from tests.support.crash_points import Point, around
from tests.support.crash_process import crash_process
from tests.support.server import database_url, http_client, live_server
from tests.support.storage import completed, create_execution, note, read_all
from tests.support.waiting import wait_until

WORKFLOW_WRITES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "create": ("POST", "/v1/workflows", ("workflow", "workflow version")),
    "replace": ("PUT", "/v1/workflows/two", ("replaced workflow", "workflow version")),
    "delete": ("DELETE", "/v1/workflows/two", ("deleted workflow",)),
}
KEY_WRITES = ("key",)
REVOCATION_WRITES = ("revoked key",)
TRIM_WRITES = ("trimmed events", "trimmed row")
FORGET_WRITES = ("forgotten idempotency keys",)
FIRST_START_WRITES = ("tables", "indexes", "unique indexes", "schema revision")
START_WRITES = ("proof of writing",)
WRITES_WITH_POINTS = {
    *(write for _, _, writes in WORKFLOW_WRITES.values() for write in writes),
    *KEY_WRITES,
    *REVOCATION_WRITES,
    *TRIM_WRITES,
    *FORGET_WRITES,
    *FIRST_START_WRITES,
    *START_WRITES,
}
EVENTS = 6


def points_of(*writes: str) -> list[Point]:
    """The points of one transaction."""
    return [*around("statement", *writes), *around("commit", writes[0])]


def is_done(point: Point) -> bool:
    return (point.moment, point.action) == ("after", "commit")


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "flowmaestro.db")) as connection:
        return connection.execute(query).fetchall()


async def request_workflow(base_url: str, key: str, change: str) -> httpx2.Response:
    method, path, _ = WORKFLOW_WRITES[change]
    named = {"id": "new"} if method == "POST" else {}
    document = None if method == "DELETE" else greeting(**named)
    async with http_client(base_url, key) as client:
        return await client.request(method, path, json=document)


@pytest.mark.parametrize(
    ("change", "point"),
    [
        pytest.param(change, point, id=f"{change}-{point}")
        for change, (_, _, writes) in WORKFLOW_WRITES.items()
        for point in points_of(*writes)
    ],
)
async def test_a_workflow_is_saved_wholly_or_not_at_all(
    prepared: Prepared, change: str, point: Point
) -> None:
    query = "SELECT id, name, version, deleted_at IS NULL FROM workflows ORDER BY id"
    versions = "SELECT workflow_id, version FROM workflow_versions ORDER BY 1, 2"
    before = rows(prepared.folder, query)
    with crash_process(prepared.folder, point) as process:
        with pytest.raises(httpx2.TransportError):
            await request_workflow(process.base_url(), prepared.key, change)
        process.assert_killed()
    after = {
        "create": [*before[:1], ("new", "Greeting", 1, 1), *before[1:]],
        "replace": [before[0], ("two", "Greeting", 2, 1)],
        "delete": [before[0], ("two", "Chain", 1, 0)],
    }[change]
    found = rows(prepared.folder, query)
    assert found == (after if is_done(point) else before)
    assert rows(prepared.folder, versions) == [
        (id_, version) for id_, _, newest, _ in found for version in range(1, newest + 1)
    ]
    # Whoever was not answered asks again.
    async with live_server(prepared.folder) as server:
        again = await request_workflow(server.base_url, prepared.key, change)
        expected = {"create": (201, 400), "replace": (200, 200), "delete": (204, 404)}[change]
        assert again.status_code == expected[is_done(point)], again.text


@pytest.mark.parametrize("point", points_of(*KEY_WRITES), ids=str)
async def test_a_key_that_was_shown_is_stored(prepared: Prepared, point: Point) -> None:
    with crash_process(prepared.folder, point, "keys", "create", "--name", "new") as process:
        assert process.read_line() == ""
        process.assert_killed()
    names = {name for (name,) in rows(prepared.folder, "SELECT name FROM api_keys")}
    assert ("new" in names) == is_done(point)


@pytest.mark.parametrize("point", points_of(*REVOCATION_WRITES), ids=str)
async def test_a_key_is_revoked_or_was_not_said_to_be(prepared: Prepared, point: Point) -> None:
    with crash_process(prepared.folder, point, "keys", "revoke", prepared.key_id) as process:
        assert process.read_line() == ""
        process.assert_killed()
    async with live_server(prepared.folder) as server, server.client(prepared.key) as client:
        answer = await client.get("/v1/workflows")
    assert answer.status_code == (401 if is_done(point) else 200)


async def prepare_retention(folder: Path) -> str:
    """Store an ended log and an idempotency record that is out of its lifetime; return the log."""
    async with await Storage.open(database_url(folder)) as storage:
        execution = await create_execution(
            storage,
            workspace="default",
            idempotency=Idempotency("old", "fingerprint"),
            created_at=datetime.now(UTC) - timedelta(days=2),
        )
        log = execution.id
        await storage.log.append(log, [note(log)] * (EVENTS - 1) + [completed(log)])
    return log


@pytest.mark.parametrize(
    "point",
    [*points_of(*TRIM_WRITES), *points_of(*FORGET_WRITES)],
    ids=str,
)
async def test_retention_that_is_cut_off_leaves_no_gap_that_is_not_told(
    prepared: Prepared, point: Point
) -> None:
    log = await prepare_retention(prepared.folder)
    environment = {"FLOWMAESTRO_RETENTION_MAX_EVENTS": "2"}
    with crash_process(prepared.folder, point, environment=environment) as process:
        process.assert_killed()
    trimmed = EVENTS - 2 if point.write == "trimmed events" and is_done(point) else 0
    async with await Storage.open(database_url(prepared.folder)) as storage:
        assert (await storage.log.head(log)).trimmed_through == trimmed
        kept = await storage.log.read(log, after=trimmed, limit=100)
        assert [record.number for record in kept] == list(range(trimmed + 1, EVENTS + 1))
        if trimmed:
            with pytest.raises(CursorExpired):
                await read_all(storage, log)
    keys = rows(prepared.folder, "SELECT key FROM idempotency_keys")
    forgotten = point.write != "forgotten idempotency keys" or is_done(point)
    assert keys == ([] if forgotten else [("old",)])
    with crash_process(prepared.folder, None, environment=environment) as process:
        process.base_url()
        first = "SELECT min(number) FROM events"
        await wait_until(lambda: rows(prepared.folder, first) == [(EVENTS - 1,)])
        process.stop()


@pytest.mark.parametrize("point", points_of(*FIRST_START_WRITES), ids=str)
async def test_a_first_start_that_is_cut_off_leaves_room_for_the_next(
    tmp_path: Path, point: Point
) -> None:
    with crash_process(tmp_path, point) as process:
        assert process.base_url() == ""
        process.assert_killed()
    tables = rows(tmp_path, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
    assert (tables != [(0,)]) == is_done(point)
    async with live_server(tmp_path) as server, server.client() as client:
        assert (await client.post("/v1/workflows", json=greeting())).status_code == 201


@pytest.mark.parametrize("point", points_of(*START_WRITES), ids=str)
async def test_a_start_that_is_cut_off_changes_nothing(prepared: Prepared, point: Point) -> None:
    with crash_process(prepared.folder, point) as process:
        assert process.base_url() == ""
        process.assert_killed()
    async with live_server(prepared.folder) as server, server.client(prepared.key) as client:
        workflows = (await client.get("/v1/workflows")).json()["data"]
    assert {workflow["id"] for workflow in workflows} == {"held", "two"}
