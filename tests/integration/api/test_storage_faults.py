"""A database that is full, locked or damaged: 503, nothing acknowledged is lost, work goes on."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx2

from flowmaestro.storage import Storage
from tests.support.api import assert_error, create, execute, finish, greeting, waiting
from tests.support.server import database_url, live_server
from tests.support.storage import completed, create_execution, note


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
        running = await execute(client, await create(client, waiting()))
        with sqlite3.connect(server.parts.storage.path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            reading = asyncio.create_task(client.get(f"/v1/executions/{running}/events"))
            started, replaced, cancelled = await asyncio.gather(
                client.post(f"/v1/workflows/{workflow_id}/execute", json={"inputs": {"name": "A"}}),
                client.put(f"/v1/workflows/{workflow_id}", json=greeting(name="Other")),
                client.post(f"/v1/executions/{running}/cancel"),
            )
            for response in (started, replaced):
                assert "lock" in assert_error(response, "service_unavailable")["message"]
                assert response.headers["Retry-After"]
            assert "will be" in assert_error(cancelled, "service_unavailable")["message"]
            assert (await client.get(f"/v1/executions/{running}")).status_code == 200
            found = await client.get(f"/v1/workflows/{workflow_id}")
            assert found.json()["data"]["version"] == 1
            assert not reading.done()
            other.execute("ROLLBACK")
        other.close()
        assert_whole((await reading).text, "execution:cancelled")
        assert (await finish(client, running))["status"] == "cancelled"
        execution_id = await execute(client, workflow_id, name="Ada")
        assert (await finish(client, execution_id))["status"] == "completed"


async def test_damage_in_one_log_cuts_its_readers_off_and_leaves_the_others_alone(
    tmp_path: Path,
) -> None:
    async with await Storage.open(database_url(tmp_path)) as storage:
        damaged, sound = [
            (await create_execution(storage, workspace="default")).id for _ in range(2)
        ]
        await storage.log.append(damaged, [note(damaged, "damaged" * 150)] * 200)
        await storage.log.append(damaged, [completed(damaged)])
        await storage.log.append(sound, [*[note(sound)] * 200, completed(sound)])
    damage_a_page(tmp_path / "flowmaestro.db", b"damaged" * 100)
    async with live_server(tmp_path) as server, server.client() as client:
        path = f"/v1/executions/{damaged}/events"
        refused = await client.get(f"{path}?follow=false&include=node:log&limit=1000")
        assert "is damaged" in assert_error(refused, "service_unavailable")["message"]
        assert refused.headers["Retry-After"]
        received = ""
        async with client.stream("GET", f"{path}?include=node:log") as response:
            with contextlib.suppress(httpx2.RemoteProtocolError):
                async for text in response.aiter_text():
                    received += text
        assert numbers_of(received) == list(range(1, len(numbers_of(received)) + 1))
        assert "execution:completed" not in received
        whole = await client.get(f"/v1/executions/{sound}/events?include=node:log")
        assert_whole(whole.text, "execution:completed")
        execution_id = await execute(client, await create(client, greeting()), name="Ada")
        assert (await finish(client, execution_id))["status"] == "completed"


def damage_a_page(path: Path, content: bytes) -> None:
    """Overwrite a page in the middle of those that hold *content*."""
    pages = [path.read_bytes()[at : at + 4096] for at in range(0, path.stat().st_size, 4096)]
    holding = [number for number, page in enumerate(pages) if content in page]
    with path.open("r+b") as file:
        file.seek(holding[len(holding) // 2] * 4096)
        file.write(b"\xff" * 4096)


def numbers_of(received: str) -> list[int]:
    return [int(number) for number in re.findall(r"^id: (\d+)$", received, re.MULTILINE)]


def assert_whole(received: str, end: str) -> None:
    """Check that a stream has every number and its *end*."""
    numbers = numbers_of(received)
    assert numbers == list(range(1, len(numbers) + 1))
    assert f"event: {end}\n" in received.rsplit("id: ", 1)[-1]
