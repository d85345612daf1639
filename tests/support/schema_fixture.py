"""Databases as each revision of the schema left them, and how one is made.

    python -m tests.support.schema_fixture

makes the fixture of the newest revision, with a real server and this version of the code. Do so
before a version is released, and never again: a fixture says what that version wrote.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from flowmaestro.storage.migrations import REVISIONS
from tests.support.api import create, execute, finish, greeting
from tests.support.held_nodes import UNTIL
from tests.support.server import server_process

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "fixtures" / "schema"
NODES = "tests.support.held_nodes"
IDEMPOTENCY_KEY = "order-17"
_KEY = re.compile(r"^-- key: (fm_test_\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class SchemaFixture:
    """A database as one revision left it."""

    sql: str

    @property
    def key(self) -> str:
        """An API key that the database holds the hash of, for everything."""
        found = _KEY.search(self.sql)
        assert found is not None
        return found[1]

    def load(self, path: Path) -> None:
        """Make the database at *path*."""
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(self.sql)


def schema_fixture(revision: str) -> SchemaFixture:
    """Return the fixture of a revision."""
    path = FOLDER / f"{revision}.sql"
    assert path.exists(), (
        f"There is no database of schema {revision} to test upgrades with. "
        "Make it with the version that wrote it: make schema-fixture"
    )
    return SchemaFixture(path.read_text())


def server_environment(until: Path | None = None) -> dict[str, str]:
    """Return the settings of a server that knows what fixtures use, and what holds it up."""
    environment = {"FLOWMAESTRO_NODES": NODES, "PYTHONPATH": str(ROOT)}
    return environment if until is None else {**environment, UNTIL: str(until)}


def _definitions() -> dict[str, dict[str, Any]]:
    nap = {"type": "wait", "config": {"duration_ms": 1}}
    return {
        "greeting": greeting(),
        "failing": {
            "name": "Failing",
            "nodes": {
                "try": {
                    "type": "flaky",
                    "config": {"failures": 9},
                    "retry": {"max_attempts": 2, "initial_delay_ms": 1},
                }
            },
        },
        "everything": {
            "name": "Everything",
            "nodes": {
                "each": {
                    "type": "loop",
                    "config": {"items": "{{ range(3) }}", "body": {"nodes": {"nap": nap}}},
                },
                "check": {"type": "conditional", "config": {"expression": "{{ 1 > 2 }}"}},
                "never": nap,
                "always": {
                    "type": "flaky",
                    "config": {"failures": 1},
                    "retry": {"max_attempts": 3, "initial_delay_ms": 1},
                },
                "greet": {
                    "type": "workflow",
                    "config": {"workflow_id": "greeting", "inputs": {"name": "Zoë 🌍"}},
                },
            },
            "edges": [
                {"source": "each", "target": "check"},
                {"source": "check", "target": "never", "source_handle": "true"},
                {"source": "check", "target": "always", "source_handle": "false"},
                {"source": "always", "target": "greet"},
            ],
        },
        "held": {
            "name": "Held",
            "nodes": {
                "first": {"type": "transform", "config": {"value": "{{ 6 * 7 }}"}},
                "hold": {"type": "held"},
                "last": {"type": "transform", "config": {"value": "{{ first.value + 1 }}"}},
            },
            "edges": [
                {"source": "first", "target": "hold"},
                {"source": "hold", "target": "last"},
            ],
        },
    }


async def _fill(client: httpx2.AsyncClient) -> None:
    for workflow_id, definition in _definitions().items():
        await create(client, {"id": workflow_id, **definition})
    await create(client, {"id": "deleted", **greeting()})
    (await client.delete("/api/v1/workflows/deleted")).raise_for_status()
    finished = await finish(client, await execute(client, "greeting", name="Ada"))
    assert finished["status"] == "completed"
    changed = {**greeting(), "name": "Greeting, again"}
    (await client.put("/api/v1/workflows/greeting", json=changed)).raise_for_status()
    for workflow_id, status in (("everything", "completed"), ("failing", "failed")):
        finished = await finish(client, await execute(client, workflow_id))
        assert finished["status"] == status, finished
    again = await client.post(
        "/api/v1/workflows/greeting/execute",
        json={"inputs": {"name": "Grace"}},
        headers={"Idempotency-Key": IDEMPOTENCY_KEY},
    )
    await finish(client, again.json()["data"]["execution_id"])
    cancelled = await execute(client, "held")
    await _until_held(client, cancelled)
    (await client.post(f"/api/v1/executions/{cancelled}/cancel")).raise_for_status()
    await finish(client, cancelled)
    for _ in range(2):
        await _until_held(client, await execute(client, "held"))


async def _until_held(client: httpx2.AsyncClient, execution_id: str) -> None:
    url = f"/api/v1/executions/{execution_id}/events"
    while True:
        events = (await client.get(url, params={"follow": "false"})).json()["data"]
        if any(event.get("node_id") == "hold" for event in events):
            return
        await asyncio.sleep(0.02)


async def make(path: Path) -> None:
    """Write the fixture of the newest revision to *path*."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            **server_environment(until=folder / "never"),
            "FLOWMAESTRO_MAX_CONCURRENT_EXECUTIONS": "2",
        }
        with server_process(folder, settings) as server:
            key = await server.new_key()
            revoked = await server.new_key(workspace="other")
            async with httpx2.AsyncClient(
                base_url=server.base_url, headers={"X-API-Key": key}, timeout=60, trust_env=False
            ) as client:
                await _fill(client)
                # There is room for two in memory, and they are held: this one stays pending.
                await execute(client, "greeting", name="Barbara")
            server.kill()
        with closing(sqlite3.connect(folder / "flowmaestro.db")) as connection:
            with connection:
                connection.execute(
                    "UPDATE api_keys SET revoked_at = created_at WHERE workspace = 'other'"
                )
            lines = [f"-- key: {key}", *connection.iterdump()]
    assert revoked not in "\n".join(lines)
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    path = FOLDER / f"{REVISIONS[-1]}.sql"
    if path.exists():
        raise SystemExit(f"{path} is there already: what a version wrote does not change")
    asyncio.run(asyncio.wait_for(make(path), 120))
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
