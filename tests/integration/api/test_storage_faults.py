"""A database that is full or locked: 503, nothing acknowledged is lost, and serving goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.support.api import assert_error, create, execute, finish, greeting, waiting
from tests.support.server import live_server


async def test_a_full_database_refuses_what_it_cannot_keep_and_nothing_else(tmp_path: Path) -> None:
    full: dict[str, Any] = {"max_database_bytes": 1_500_000}
    async with live_server(tmp_path, **full) as server, server.client() as client:
        workflow_id = await create(client, greeting())
        accepted = []
        while True:
            response = await client.post(
                f"/v1/workflows/{workflow_id}/execute", json={"inputs": {"name": "x" * 50_000}}
            )
            if response.status_code != 202:
                break
            accepted.append(response.json()["data"]["execution_id"])
        assert_error(response, "service_unavailable")
        assert response.headers["retry-after"]
        assert accepted
        for execution_id in accepted:
            found = await client.get(f"/v1/executions/{execution_id}")
            assert found.status_code == 200
        page = await client.get(f"/v1/executions/{accepted[0]}/events?follow=false")
        assert page.status_code == 200

    # With room again, everything that was accepted ends.
    async with live_server(tmp_path) as server, server.client() as client:
        for execution_id in accepted:
            assert (await finish(client, execution_id))["status"] == "completed"


async def test_a_locked_database_is_unavailable_until_it_is_not(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        workflow_id = await create(client, greeting())
        running = await execute(client, await create(client, waiting(50)), name="x")
        with sqlite3.connect(server.parts.storage.path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            response = await client.post(
                f"/v1/workflows/{workflow_id}/execute", json={"inputs": {"name": "Ada"}}
            )
            assert_error(response, "service_unavailable")
            assert "lock" in response.json()["error"]["message"]
            assert (await client.get(f"/v1/executions/{running}")).status_code == 200
            other.execute("ROLLBACK")
        other.close()
        assert (await finish(client, running))["status"] == "completed"
        execution_id = await execute(client, workflow_id, name="Ada")
        assert (await finish(client, execution_id))["status"] == "completed"
