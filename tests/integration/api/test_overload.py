"""More than the server can do: it says so, early and in the one error shape, and what it had
accepted ends as if nothing were."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from flowmaestro import AsyncFlowMaestroClient
from tests.support.api import assert_error, create, execute, finish, greeting, waiting
from tests.support.raw_http import RawConnection
from tests.support.server import LiveServer, live_server

PATIENCE_SECONDS = 60.0


@contextlib.contextmanager
def locked_database(folder: Path) -> Iterator[None]:
    """Keep every write waiting: for another process's lock, as a slow disk would."""
    connection = sqlite3.connect(folder / "flowmaestro.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


async def until(holds: object) -> None:
    """Wait until the function *holds*."""
    assert callable(holds)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(server: LiveServer) -> AsyncIterator[RawConnection]:
    host, _, port = server.base_url.removeprefix("http://").partition(":")
    connection = RawConnection(*await asyncio.open_connection(host, int(port)))
    try:
        yield connection
    finally:
        connection.abort()


def metric(text: str, name: str) -> float:
    found = re.search(rf"^flowmaestro_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def assert_refused(response: httpx2.Response) -> None:
    error = assert_error(response, "service_unavailable")
    seconds = int(response.headers["Retry-After"])
    assert 1 <= seconds <= 30
    assert error["details"]["retry_after_seconds"] == seconds


def numbers(stream: str) -> list[int]:
    return [int(line[4:]) for line in stream.splitlines() if line.startswith("id: ")]


def assert_whole(stream: str) -> None:
    """Check that a stream has each event once, in order, and its end."""
    found = numbers(stream)
    assert found == list(range(1, len(found) + 1))
    assert stream.count("event: execution:completed") == 1


async def test_executions_are_refused_while_those_before_have_not_begun(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, max_starting_executions=2) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, greeting())
        path = f"/api/v1/workflows/{workflow_id}/execute"
        body = {"inputs": {"name": "Ada"}}
        with locked_database(tmp_path):
            accepted = [asyncio.create_task(client.post(path, json=body)) for _ in range(2)]
            await until(lambda: server.parts.engine.starting_executions == 2)
            for _ in range(3):
                assert_refused(await client.post(path, json=body))
            # Whatever costs no execution goes on.
            assert (await client.get(f"/api/v1/workflows/{workflow_id}")).status_code == 200
            metrics = (await client.get("/metrics")).text
            assert metric(metrics, "executions_refused_total") == 3
            assert metric(metrics, 'queue_depth{queue="starting_executions"}') == 2
            assert metric(metrics, "start_delay_seconds") > 0
        for response in await asyncio.gather(*accepted):
            assert response.status_code == 202
            execution_id = response.json()["data"]["execution_id"]
            assert (await finish(client, execution_id))["status"] == "completed"
        assert server.parts.engine.starting_executions == 0
        await execute(client, workflow_id, name="Ada")


async def test_a_refusal_needs_neither_key_nor_body(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, max_starting_executions=1) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, greeting())
        path = f"/v1/workflows/{workflow_id}/execute"
        with locked_database(tmp_path):
            accepted = asyncio.create_task(client.post(path, json={"inputs": {"name": "Ada"}}))
            await until(lambda: server.parts.engine.starting_executions == 1)
            async with server.client(None) as stranger, connected(server) as raw:
                assert_refused(await stranger.post(path))
                raw.write(
                    f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n".encode()
                )
                assert (await raw.read(12)) == b"HTTP/1.1 503"
        assert (await accepted).status_code == 202


async def test_a_failed_request_gives_its_place_up(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, max_starting_executions=1) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, greeting())
        for _ in range(3):
            wrong = await client.post(f"/v1/workflows/{workflow_id}/execute", json={"inputs": {}})
            assert_error(wrong, "validation_error")
            assert_error(await client.post("/v1/workflows/none/execute"), "resource_not_found")
        assert server.parts.engine.starting_executions == 0
        await execute(client, workflow_id, name="Ada")


async def test_executions_that_wait_for_room_are_no_overload(tmp_path: Path) -> None:
    settings = {"max_starting_executions": 1, "max_concurrent_executions": 1}
    async with live_server(tmp_path, **settings) as server, server.client() as client:
        long = await execute(client, await create(client, waiting()))
        workflow_id = await create(client, greeting())
        waiting_for_room = [await execute(client, workflow_id, name="Ada") for _ in range(5)]
        assert server.parts.engine.starting_executions == 0
        await client.post(f"/v1/executions/{long}/cancel")
        for execution_id in waiting_for_room:
            assert (await finish(client, execution_id))["status"] == "completed"


async def test_a_flood_harms_neither_what_was_accepted_nor_who_reads(tmp_path: Path) -> None:
    settings = {"max_starting_executions": 10, "max_start_delay_seconds": 0.5}
    async with live_server(tmp_path, **settings) as server, server.client() as client:
        workflow_id = await create(client, greeting())
        path = f"/v1/workflows/{workflow_id}/execute"
        watched = await execute(client, await create(client, waiting()))
        watching = asyncio.create_task(client.get(f"/v1/executions/{watched}/events"))
        async with server.client(
            limits=httpx2.Limits(max_connections=200, max_keepalive_connections=200)
        ) as flood:
            responses = await asyncio.gather(
                *(flood.post(path, json={"inputs": {"name": "Ada"}}) for _ in range(300))
            )
        refused = [response for response in responses if response.status_code == 503]
        accepted = [response for response in responses if response.status_code == 202]
        assert refused
        assert accepted
        assert len(refused) + len(accepted) == 300
        for response in refused:
            assert_refused(response)
        for response in accepted:
            execution_id = response.json()["data"]["execution_id"]
            assert_whole((await client.get(f"/v1/executions/{execution_id}/events")).text)
        await client.post(f"/v1/executions/{watched}/cancel")
        assert numbers((await watching).text) == [1, 2, 3]
        assert server.parts.engine.starting_executions == 0
        assert server.parts.engine.unfinished_executions == 0
        await execute(client, workflow_id, name="Ada")


async def test_the_sdk_waits_as_long_as_it_is_told_and_comes_again(tmp_path: Path) -> None:
    settings = {"max_starting_executions": 3, "max_start_delay_seconds": None}
    async with live_server(tmp_path, **settings) as server, server.client() as client:
        workflow_id = await create(client, greeting())
        async with AsyncFlowMaestroClient(
            server.key, base_url=server.base_url, max_retries=50
        ) as sdk:
            executions = await asyncio.gather(
                *(sdk.workflows.execute(workflow_id, {"name": "Ada"}) for _ in range(12))
            )
        assert len({execution.execution_id for execution in executions}) == 12
        metrics = (await client.get("/metrics")).text
        assert metric(metrics, "executions_refused_total") > 0


async def test_so_many_requests_are_answered_at_once(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, max_concurrent_requests=2) as server,
        server.client() as client,
    ):
        watched = await execute(client, await create(client, waiting()))
        streaming = asyncio.create_task(client.get(f"/v1/executions/{watched}/events"))
        polling = asyncio.create_task(
            client.get(f"/v1/executions/{watched}/events?follow=false&types=node:completed&wait=50")
        )
        await until(lambda: server.parts.hub.gauges().subscriptions == 2)  # neither is counted
        async with connected(server) as one, connected(server) as other:
            for connection in (one, other):
                connection.write(
                    f"POST /v1/workflows HTTP/1.1\r\nHost: test\r\nX-API-Key: {server.key}\r\n"
                    "Content-Length: 10\r\n\r\n".encode()
                )
            answer = await client.get("/v1/workflows")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while answer.status_code == 200:  # they are not there yet
                    answer = await client.get("/v1/workflows")
            assert_refused(answer)
            assert (await client.get("/healthz")).status_code == 200
            metrics = (await client.get("/metrics")).text
            assert metric(metrics, 'queue_depth{queue="requests"}') == 2
            assert metric(metrics, "requests_refused_total") >= 1
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await client.get("/v1/workflows")).status_code != 200:
                await asyncio.sleep(0.005)
        await client.post(f"/v1/executions/{watched}/cancel")
        assert "execution:cancelled" in (await streaming).text
        assert (await polling).status_code == 200


async def test_large_bodies_share_what_memory_they_may_take(tmp_path: Path) -> None:
    limits = {"max_large_bodies_bytes": 300_000, "max_body_bytes": 300_000}
    async with live_server(tmp_path, **limits) as server, server.client() as client:
        large = json.dumps({**greeting(), "notes": "x" * 200_000}).encode()
        head = (
            f"POST /v1/workflows HTTP/1.1\r\nHost: test\r\nX-API-Key: {server.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(large)}\r\n\r\n"
        ).encode()
        async with connected(server) as one, connected(server) as other:
            answers = {}
            for connection in (one, other):
                connection.write(head + large[:-1])
                answers[asyncio.create_task(connection.reader.read(4096))] = connection
            done, _ = await asyncio.wait(
                answers, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_SECONDS
            )
            (refused,) = done  # whichever came second
            assert refused.result().startswith(b"HTTP/1.1 503")
            assert b"retry-after: 2" in refused.result().lower()
            await create(client, greeting())  # the small ones have room
            del answers[refused]
            ((answer, connection),) = answers.items()
            connection.write(large[-1:])
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert (await answer).startswith(b"HTTP/1.1 201")
        assert (await client.post("/v1/workflows", content=large)).status_code == 201
