"""Keys and tickets at their expiry: the last instant they are good, and the first they are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from tests.support.api import assert_error, create, execute, waiting
from tests.support.clock import MovedClock
from tests.support.server import live_server

EXPIRES_AT = datetime(2030, 1, 1, tzinfo=UTC)
JUST_BEFORE = [EXPIRES_AT - timedelta(seconds=1), EXPIRES_AT - timedelta(milliseconds=1)]
NOT_BEFORE = [EXPIRES_AT, EXPIRES_AT + timedelta(seconds=1)]


async def test_a_key_is_good_until_the_instant_of_its_expiry(tmp_path: Path) -> None:
    clock = MovedClock()
    async with live_server(tmp_path, clock=clock) as server:
        client = server.client(await server.new_key(expires_at=EXPIRES_AT))
        for moment in JUST_BEFORE:
            clock.stop_at(moment)
            assert (await client.get("/v1/workflows")).status_code == 200
        for moment in NOT_BEFORE:
            clock.stop_at(moment)
            assert_error(await client.get("/v1/workflows"), "expired_api_key")
        await client.aclose()


async def test_a_ticket_is_good_until_the_instant_of_its_expiry(tmp_path: Path) -> None:
    clock = MovedClock()
    clock.stop_at(EXPIRES_AT - timedelta(minutes=5))
    async with live_server(tmp_path, clock=clock) as server, server.client() as client:
        execution_id = await execute(client, await create(client, waiting()))
        asked = await client.post(f"/v1/executions/{execution_id}/tickets")
        ticket = asked.json()["data"]
        assert ticket["expires_at"] == "2030-01-01T00:00:00.000Z"
        async with server.client(None) as page:
            path = f"{ticket['events_url']}&follow=false"
            for moment in JUST_BEFORE:
                clock.stop_at(moment)
                assert (await page.get(path)).status_code == 200
            for moment in NOT_BEFORE:
                clock.stop_at(moment)
                error = assert_error(await page.get(path), "expired_api_key")
                assert error["details"]["expired_at"] == "2030-01-01T00:00:00.000Z"
        await client.post(f"/v1/executions/{execution_id}/cancel")


async def test_a_ticket_ends_with_the_key_that_signed_it(tmp_path: Path) -> None:
    clock = MovedClock()
    clock.stop_at(EXPIRES_AT - timedelta(seconds=10))
    async with live_server(tmp_path, clock=clock) as server, server.client() as owner:
        execution_id = await execute(owner, await create(owner, waiting()))
        async with server.client(await server.new_key(expires_at=EXPIRES_AT)) as client:
            asked = await client.post(f"/v1/executions/{execution_id}/tickets")
        ticket = asked.json()["data"]
        assert ticket["expires_at"] == "2030-01-01T00:00:00.000Z"
        async with server.client(None) as page:
            clock.stop_at(JUST_BEFORE[-1])
            path = f"{ticket['events_url']}&follow=false"
            assert (await page.get(path)).status_code == 200
            clock.stop_at(EXPIRES_AT)
            assert_error(await page.get(path), "expired_api_key")
        await owner.post(f"/v1/executions/{execution_id}/cancel")


async def test_open_streams_end_when_their_key_expires_and_not_before(tmp_path: Path) -> None:
    clock = MovedClock()
    clock.stop_at(JUST_BEFORE[-1])
    options: dict[str, Any] = {"clock": clock, "key_recheck_seconds": 0.05}
    async with live_server(tmp_path, **options) as server, server.client() as owner:
        execution_id = await execute(owner, await create(owner, waiting()))
        path = f"/v1/executions/{execution_id}/events"
        client = server.client(await server.new_key(expires_at=EXPIRES_AT))
        async with client, client.stream("GET", path) as response:
            received = ""
            async for text in response.aiter_text():
                received += text
                if "event: node:started" in received and clock.now() < EXPIRES_AT:
                    await server.parts.app.state.services.key_watch.look()
                    assert server.parts.hub.gauges().subscriptions == 1
                    clock.stop_at(EXPIRES_AT)
            assert received.endswith("\n\n")
            assert "execution:completed" not in received
            assert_error(await client.get(path), "expired_api_key")
        await owner.post(f"/v1/executions/{execution_id}/cancel")


async def test_a_repeated_request_is_known_until_a_day_has_passed(tmp_path: Path) -> None:
    clock = MovedClock()
    began = EXPIRES_AT
    clock.stop_at(began)
    async with live_server(tmp_path, clock=clock) as server, server.client() as client:
        workflow_id = await create(client, waiting(1))
        first = await _execute_once(client, workflow_id)
        for passed, is_repeated in (
            (timedelta(days=-1), True),  # the clock was set back
            (timedelta(days=1), True),
            (timedelta(days=1, milliseconds=1), False),
        ):
            clock.stop_at(began + passed)
            assert (await _execute_once(client, workflow_id) == first) == is_repeated


async def _execute_once(client: httpx2.AsyncClient, workflow_id: str) -> str:
    answer = await client.post(
        f"/v1/workflows/{workflow_id}/execute", headers={"Idempotency-Key": "once"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["execution_id"])
