"""No query of the product reads a whole table, so that none grows with the past."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from flowmaestro.storage import Idempotency, NewKey, Storage
from tests.support.storage import (
    MOMENT,
    completed,
    create_execution,
    failed,
    new_execution,
    note,
    started,
)

MAY_BE_READ_WHOLE = (
    "json_each",
    "alembic_version",
    "sqlite_master",
    "executions USING INDEX ix_executions_unfinished",  # to count those
)


@pytest.fixture
def statements() -> Iterator[set[str]]:
    """Every statement that SQLite is given while the test runs, parameters filled in."""
    seen: set[str] = set()

    def watch(connection: sqlite3.Connection, _: object) -> None:
        connection.set_trace_callback(seen.add)

    event.listen(sa.Engine, "connect", watch)
    yield seen
    event.remove(sa.Engine, "connect", watch)


async def use_everything(storage: Storage) -> None:
    await storage.workflows.create("ws", {}, name="one", id="wf_1")
    await storage.workflows.replace("ws", "wf_1", {}, name="one")
    await storage.workflows.get("ws", "wf_1")
    await storage.workflows.list("ws")
    await storage.workflows.ids("ws")
    await storage.workflows.require_replaceable("ws", "wf_1")
    await storage.workflows.version("ws", "wf_1", 1)
    idempotency = Idempotency("key", "one")
    log = (await create_execution(storage, idempotency=idempotency)).id
    await storage.executions.create(new_execution(storage, idempotency=idempotency))
    for entries in ([started(log, "a"), note(log, key="b")], [note(log, key="b")]):
        await storage.log.append(log, entries)
    await storage.log.append(log, [completed(log, "end")])
    await storage.log.append(log, [completed(log, "end")])
    other = (await create_execution(storage)).id
    await storage.log.append(other, [failed(other)])
    await storage.log.head(log)
    await storage.log.read(log, after=0, limit=100)
    await storage.executions.get(log, "ws")
    await storage.executions.list("ws")
    await storage.executions.list("ws", workflow_id="wf_1")
    await storage.executions.list("ws", status="completed")
    await storage.executions.list("ws", status="completed", workflow_id="wf_1")
    await storage.executions.unfinished(after=log)
    await storage.executions.count_unfinished()
    await storage.executions.definitions(log)
    await storage.log.trim(MOMENT.replace(year=2100), 1)
    await storage.executions.forget_idempotency_keys()
    key = await storage.keys.create(
        NewKey("n", "ws", "live", frozenset(), key_hash="h", prefix="p", created_at=MOMENT)
    )
    await storage.keys.find("h")
    await storage.keys.get(key.id)
    await storage.keys.list("ws")
    await storage.keys.revoke(key.id)
    await storage.check()


async def test_every_query_goes_by_an_index(tmp_path: Path, statements: set[str]) -> None:
    path = tmp_path / "flowmaestro.db"
    async with await Storage.open(str(path)) as storage:
        statements.clear()
        await use_everything(storage)
    database = sqlite3.connect(path)
    plans = {
        statement: [
            detail for *_, detail in database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        ]
        for statement in statements
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
    }
    database.close()
    assert len(plans) > 30
    slow = [
        (statement, detail)
        for statement, details in plans.items()
        for detail in details
        if "TEMP B-TREE" in detail
        or (
            detail.startswith("SCAN")
            and not any(table in detail for table in MAY_BE_READ_WHOLE)
            and detail.split()[1] not in ("wanted", "CONSTANT")
            and not detail.startswith("SCAN (subquery")
        )
    ]
    assert slow == []
