"""Streams as the whole server opens them: authorised, counted, limited, logged, and ended."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import create, execute, waiting
from tests.support.raw_http import RawResponse, head_of, open_connection, request, responses
from tests.support.server import LiveServer, create_key, live_server
from tests.support.streaming import until


@asynccontextmanager
async def a_stream_of(
    server: LiveServer, execution_id: str, key: str | None = None, **headers: str
) -> AsyncIterator[RawResponse]:
    """Open a stream on a connection of its own."""
    target = f"/api/v1/executions/{execution_id}/events"
    headers = {"X-API-Key": key or server.key, **headers}
    async with await request(port_of(server), target, headers=headers) as response:
        yield response


def port_of(server: LiveServer) -> int:
    return int(server.base_url.rpartition(":")[2])


async def an_execution(server: LiveServer, duration_ms: int = 60_000) -> str:
    async with server.client() as client:
        return await execute(client, await create(client, waiting(duration_ms)))


async def error_of(response: RawResponse) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(await response.read_all())["error"]
    return error


async def test_a_key_may_have_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with live_server(tmp_path, max_streams_per_key=2) as server:
        execution_id = await an_execution(server)
        async with a_stream_of(server, execution_id) as first:
            async with a_stream_of(server, execution_id) as second:
                assert (first.status, second.status) == (200, 200)
                async with a_stream_of(server, execution_id) as third:
                    assert third.status == 429
                    assert int(third.headers["retry-after"]) > 0
                    error = await error_of(third)
                    assert error["code"] == "rate_limit_exceeded"
                    assert error["details"]["limit"] == 2
                other = await server.new_key()
                async with a_stream_of(server, execution_id, other) as fourth:
                    assert fourth.status == 200
            await until(lambda: server.parts.hub.gauges().subscriptions == 1)
            async with a_stream_of(server, execution_id) as again:
                assert again.status == 200
        await until(lambda: server.parts.hub.admission.owners == ())
        assert server.parts.hub.admission.refused == 1


async def test_a_server_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    async with live_server(tmp_path, max_streams=1) as server:
        execution_id = await an_execution(server)
        async with a_stream_of(server, execution_id):
            async with a_stream_of(server, execution_id, await server.new_key()) as refused:
                assert refused.status == 503
                assert int(refused.headers["retry-after"]) > 0
                assert (await error_of(refused))["code"] == "service_unavailable"
            async with server.client() as client:  # everything else is answered
                assert (await client.get(f"/v1/executions/{execution_id}")).status_code == 200


async def test_a_revoked_keys_streams_end_on_a_whole_frame_and_nobody_elses(
    tmp_path: Path,
) -> None:
    async with live_server(tmp_path, key_recheck_seconds=0.1) as server:
        execution_id = await an_execution(server)
        key, stored = await create_key(server.parts.storage)
        async with (
            a_stream_of(server, execution_id, key) as theirs,
            a_stream_of(server, execution_id) as ours,
        ):
            await server.parts.storage.keys.revoke(stored.id)
            await theirs.read_all()
            assert theirs.body.split(b"\n\n")[-2].startswith(b"retry: ")
            assert server.parts.hub.gauges().subscriptions == 1
            async with a_stream_of(server, execution_id, key) as again:
                assert again.status == 401
                assert (await error_of(again))["code"] == "revoked_api_key"
            async with server.client() as client:
                await client.post(f"/v1/executions/{execution_id}/cancel")
            assert (await ours.events_until())[-1].event == "execution:cancelled"


async def test_a_page_that_waits_counts_as_a_stream_and_ends_with_its_key(tmp_path: Path) -> None:
    async with live_server(tmp_path, max_streams_per_key=1, key_recheck_seconds=0.1) as server:
        execution_id = await an_execution(server)
        key, stored = await create_key(server.parts.storage)
        target = f"/v1/executions/{execution_id}/events?follow=false&wait=60&last_event_id=2"
        async with server.client(key) as client:
            waiting_page = asyncio.create_task(client.get(target))
            await until(lambda: stored.id in server.parts.hub.admission.owners)
            assert (await client.get(target)).status_code == 429
            await server.parts.storage.keys.revoke(stored.id)
            assert (await waiting_page).json()["data"] == []
            assert (await client.get(target)).status_code == 401
        assert server.parts.hub.admission.owners == ()


async def test_an_expired_keys_streams_end(tmp_path: Path) -> None:
    async with live_server(tmp_path, key_recheck_seconds=0.1) as server:
        execution_id = await an_execution(server)
        key = await server.new_key(expires_at=datetime.now(UTC) + timedelta(seconds=0.5))
        async with a_stream_of(server, execution_id, key) as response:
            assert response.status == 200
            await response.read_all()
        await until(lambda: server.parts.hub.admission.owners == ())


async def test_a_key_that_was_just_used_is_not_looked_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_server(tmp_path, key_recheck_seconds=60) as server:
        execution_id = await an_execution(server)
        async with a_stream_of(server, execution_id):

            async def fail(*_: object) -> None:
                raise AssertionError("this stream needs no query")

            monkeypatch.setattr(server.parts.storage.keys, "find", fail)
            monkeypatch.setattr(server.parts.storage.log, "head", fail)
            async with a_stream_of(server, execution_id) as second:
                assert second.status == 200


async def test_another_workspaces_execution_is_unknown_also_while_it_is_followed(
    tmp_path: Path,
) -> None:
    async with live_server(tmp_path) as server:
        execution_id = await an_execution(server)
        stranger = await server.new_key(workspace="theirs")
        for _ in range(2):
            async with a_stream_of(server, execution_id, stranger) as response:
                assert response.status == 404
                assert (await error_of(response))["code"] == "resource_not_found"
            async with a_stream_of(server, execution_id) as response:
                assert response.status == 200


async def test_a_stream_is_logged_and_counted_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[Any]:
        return [one for one in caplog.records if getattr(one, "path", "").endswith("/events")]

    caplog.set_level(logging.INFO, "flowmaestro.access")
    async with live_server(tmp_path) as server, server.client() as client:
        execution_id = await an_execution(server)
        headers = {"X-Request-Id": "watching-1"}
        async with a_stream_of(server, execution_id, **headers) as response:
            assert response.headers["x-request-id"] == "watching-1"
            await response.numbers_until(1)
            await asyncio.sleep(0.05)
            assert lines() == []
            await client.post(f"/v1/executions/{execution_id}/cancel")
            await response.read_all()
        [line] = lines()
        assert (line.request_id, line.status, line.method) == ("watching-1", 200, "GET")
        assert line.execution_id == execution_id
        assert line.key_id.startswith("key_")
        assert line.duration_ms >= 50
        metrics = (await client.get("/metrics")).text
        assert 'executions/{execution_id}/events",status="200"} 1.0' in metrics
        assert "flowmaestro_streams_opened_total 1.0" in metrics


async def test_a_web_page_may_read_a_stream(tmp_path: Path) -> None:
    async with live_server(tmp_path, cors_origins=("https://app.example.com",)) as server:
        execution_id = await an_execution(server)
        origin = {"Origin": "https://app.example.com"}
        async with a_stream_of(server, execution_id, **origin) as response:
            assert response.headers["access-control-allow-origin"] == origin["Origin"]
            await response.numbers_until(1)


@pytest.mark.parametrize("said", [b"", b"GET /api/v1/exec"])
async def test_a_client_that_says_nothing_is_not_waited_for(tmp_path: Path, said: bytes) -> None:
    async with live_server(tmp_path, request_timeout_seconds=0.1) as server:
        connection = await open_connection(port_of(server))
        connection.write(said)
        answer = await connection.read(100)
        assert answer.startswith(b"HTTP/1.1 408 ") if said else answer == b""
        await connection.close()


async def test_a_connection_that_waits_for_its_next_request_is_waited_for(
    tmp_path: Path,
) -> None:
    settings = {"request_timeout_seconds": 0.1}
    async with live_server(tmp_path, **settings) as server, server.client() as client:
        execution_id = await execute(client, await create(client, waiting(1)))
        ask = head_of(
            f"/api/v1/executions/{execution_id}/events", headers={"X-API-Key": server.key}
        )
        connection = await open_connection(port_of(server))
        for _ in range(2):
            connection.write(ask)
            async for response in responses(connection, 1):
                assert (await response.events_until())[-1].event == "execution:completed"
            await asyncio.sleep(0.3)
        await connection.close()


async def test_a_connection_serves_requests_again_after_its_stream(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        workflow_id = await create(client, waiting(1))
        for _ in range(3):
            execution_id = await execute(client, workflow_id)
            response = await client.get(f"/v1/executions/{execution_id}/events")
            assert b"execution:completed" in response.content
        connections = server.parts.app.state.metrics.render()
        assert b"flowmaestro_streams_opened_total 3.0" in connections
