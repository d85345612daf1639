"""Tickets: what they open, for how long, and everything that they do not open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.api.keys import SCOPES, generate_key, hash_key
from flowmaestro.api.schemas import TicketView
from flowmaestro.api.tickets import parse_ticket, sign_ticket
from tests.support.api import assert_error, create, execute, finish, waiting
from tests.support.raw_http import RawResponse, request
from tests.support.server import LiveServer, create_key, live_server
from tests.support.streaming import until

EVENTS = "/api/v1/executions/{}/events"


async def running(client: httpx2.AsyncClient) -> str:
    """Start an execution that goes on for long, and return its id."""
    return await execute(client, await create(client, waiting()))


async def finished(client: httpx2.AsyncClient) -> str:
    execution_id = await execute(client, await create(client, waiting(1)))
    await finish(client, execution_id)
    return execution_id


async def ask(client: httpx2.AsyncClient, execution_id: str, **body: Any) -> dict[str, Any]:
    """Ask for a ticket and return the answer's data."""
    response = await client.post(f"/api/v1/executions/{execution_id}/tickets", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def get_with(
    server: LiveServer, ticket: str, execution_id: str, method: str = "GET", **parameters: Any
) -> httpx2.Response:
    """Ask for a page of events with a ticket alone."""
    query = {"follow": "false", **parameters, "ticket": ticket}
    async with server.client(None) as anonymous:
        return await anonymous.request(method, EVENTS.format(execution_id), params=query)


@asynccontextmanager
async def a_stream_with(
    server: LiveServer, ticket: str, execution_id: str
) -> AsyncIterator[RawResponse]:
    port = int(server.base_url.rpartition(":")[2])
    async with await request(port, f"{EVENTS.format(execution_id)}?ticket={ticket}") as response:
        yield response


def signed_by(key: str, key_id: str, execution_id: str, seconds: float) -> str:
    return sign_ticket(
        key_id=key_id,
        key_hash=hash_key(key),
        execution_id=execution_id,
        expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
    )


async def test_a_ticket_opens_the_events_of_its_execution_in_every_form(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await finished(client)
    data = await ask(client, execution_id)
    assert set(data) == {"ticket", "expires_at", "events_url"}
    assert data["events_url"] == f"{EVENTS.format(execution_id)}?ticket={data['ticket']}"
    async with server.client(None) as anonymous:
        stream = await anonymous.get(data["events_url"])
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "execution:completed" in stream.text
        lines = await anonymous.get(data["events_url"], headers={"Accept": "application/x-ndjson"})
        assert len(lines.text.splitlines()) > 3
        page = await anonymous.get(data["events_url"], headers={"Accept": "application/json"})
        assert page.json()["done"] is True
        head = await anonymous.head(data["events_url"])
        assert (head.status_code, head.text) == (200, "")
        end = await anonymous.get(data["events_url"], headers={"Last-Event-ID": "99"})
        assert end.status_code == 204


async def test_the_address_is_under_the_prefix_that_was_asked(client: httpx2.AsyncClient) -> None:
    execution_id = await finished(client)
    response = await client.post(f"/v1/executions/{execution_id}/tickets")  # without a body
    assert response.json()["data"]["events_url"].startswith(f"/v1/executions/{execution_id}/events")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "seconds"),
    [({}, 300), ({"ttl_seconds": 3600}, 3600), ({"ttl_seconds": 60.0}, 60)],
)
async def test_it_is_good_for_the_time_that_was_asked_for(
    client: httpx2.AsyncClient, body: dict[str, Any], seconds: int
) -> None:
    execution_id = await finished(client)
    before = datetime.now(UTC)
    data = await ask(client, execution_id, **body)
    expires_at = datetime.fromisoformat(data["expires_at"])
    assert parse_ticket(data["ticket"]).expires_at == expires_at
    assert expires_at - before >= timedelta(seconds=seconds - 0.001)
    assert expires_at <= datetime.now(UTC) + timedelta(seconds=seconds)


async def test_it_is_not_good_for_longer_than_its_key(server: LiveServer) -> None:
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60)
    key = await server.new_key(expires_at=ends_at)
    async with server.client(key) as client:
        data = await ask(client, await finished(client))
    assert datetime.fromisoformat(data["expires_at"]) == ends_at


@pytest.mark.parametrize("ttl", [0, -1, 3601, 1.5, "300", True, None])
async def test_a_time_that_is_not_from_1_to_3600_is_refused(
    client: httpx2.AsyncClient, ttl: Any
) -> None:
    execution_id = await finished(client)
    response = await client.post(
        f"/v1/executions/{execution_id}/tickets", json={"ttl_seconds": ttl}
    )
    assert assert_error(response, "validation_error")["details"]["field"] == "body.ttl_seconds"


async def test_one_that_has_expired_says_how_to_go_on(server: LiveServer) -> None:
    key, stored = await create_key(server.parts.storage)
    async with server.client(key) as client:
        execution_id = await finished(client)
    ticket = signed_by(key, stored.id, execution_id, -0.001)
    response = await get_with(server, ticket, execution_id)
    error = assert_error(response, "expired_api_key")
    assert error["message"] == (
        "This ticket has expired. Ask whoever gave it for a new one, and go on from your cursor."
    )
    assert error["details"]["credential"] == "ticket"
    assert "WWW-Authenticate" in response.headers


async def test_an_open_stream_outlives_its_ticket(server: LiveServer) -> None:
    key, stored = await create_key(server.parts.storage)
    async with server.client(key) as client:
        execution_id = await running(client)
        expires_at = datetime.now(UTC) + timedelta(seconds=0.3)
        ticket = signed_by(key, stored.id, execution_id, 0.3)
        async with a_stream_with(server, ticket, execution_id) as response:
            assert response.status == 200
            await until(lambda: datetime.now(UTC) > expires_at)
            assert_error(await get_with(server, ticket, execution_id), "expired_api_key")
            await client.post(f"/v1/executions/{execution_id}/cancel")
            assert (await response.events_until())[-1].event == "execution:cancelled"


@pytest.mark.parametrize("recheck_seconds", [0.1, 60])
async def test_it_dies_with_its_key_and_so_do_its_streams(
    tmp_path: Path, recheck_seconds: float
) -> None:
    async with live_server(tmp_path, key_recheck_seconds=recheck_seconds) as server:
        key, stored = await create_key(server.parts.storage)
        async with server.client(key) as client:
            execution_id = await running(client)
            ticket = (await ask(client, execution_id))["ticket"]
        if recheck_seconds > 1:  # nobody has used the ticket yet, so nobody remembers its key
            await server.parts.storage.keys.revoke(stored.id)
        else:
            async with a_stream_with(server, ticket, execution_id) as response:
                assert response.status == 200
                await server.parts.storage.keys.revoke(stored.id)
                await response.read_all()
                assert response.body.split(b"\n\n")[-2].startswith(b"retry: ")
        error = assert_error(await get_with(server, ticket, execution_id), "revoked_api_key")
        assert error["message"] == "The API key of this ticket has been revoked."
        assert error["details"]["credential"] == "key"


async def test_that_of_a_key_that_has_expired_says_so(server: LiveServer) -> None:
    ended = datetime.now(UTC) - timedelta(seconds=1)
    key, stored = await create_key(server.parts.storage, expires_at=ended)
    ticket = signed_by(key, stored.id, "exec_1", 60)
    error = assert_error(await get_with(server, ticket, "exec_1"), "expired_api_key")
    assert error["message"] == "The API key of this ticket has expired."
    assert error["details"]["credential"] == "key"


async def test_another_executions_ticket_says_whose_it_is(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    mine, other = await finished(client), await finished(client)
    ticket = (await ask(client, mine))["ticket"]
    error = assert_error(await get_with(server, ticket, other), "invalid_api_key")
    assert f"opens the events of {mine} and nothing else" in error["message"]
    assert error["details"]["credential"] == "ticket"


async def test_one_that_was_changed_made_up_or_mangled_is_refused_without_showing_it(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await finished(client)
    ticket = (await ask(client, execution_id))["ticket"]
    key_id, mac = parse_ticket(ticket).key_id, ticket.rpartition(".")[2]
    later = str(int(ticket.split(".")[3]) + 1)
    for wrong, says in (
        (ticket.replace(ticket.split(".")[3], later), "was changed"),
        (signed_by(generate_key("test"), key_id, execution_id, 60), "another server"),
        (signed_by(server.key, "key_none", execution_id, 60), "not valid"),
        (ticket[:-1], "not a ticket"),
        (mac, "not a ticket"),
        (server.key, "not a ticket"),
        ("", "not a ticket"),
    ):
        response = await get_with(server, wrong, execution_id)
        error = assert_error(response, "invalid_api_key")
        assert says in error["message"]
        assert error["message"].endswith("and go on from your cursor.")
        assert not wrong or wrong not in response.text


async def test_two_credentials_are_refused(server: LiveServer, client: httpx2.AsyncClient) -> None:
    execution_id = await finished(client)
    data = await ask(client, execution_id)
    second = (await ask(client, execution_id, ttl_seconds=60))["ticket"]
    async with server.client(None) as anonymous:
        for headers in ({"X-API-Key": server.key}, {"Authorization": f"Bearer {server.key}"}):
            response = await anonymous.get(data["events_url"], headers=headers)
            error = assert_error(response, "invalid_api_key")
            assert error["message"] == "The request carries a key and a ticket: send one of them."
        twice = await anonymous.get(f"{data['events_url']}&ticket={second}")
        assert "two different tickets" in assert_error(twice, "invalid_api_key")["message"]


async def test_it_opens_nothing_else(server: LiveServer, client: httpx2.AsyncClient) -> None:
    execution_id = await running(client)
    ticket = (await ask(client, execution_id))["ticket"]
    async with server.client(None) as anonymous:
        for method, path in (
            ("GET", "/executions"),
            ("GET", f"/executions/{execution_id}"),
            ("POST", f"/executions/{execution_id}/cancel"),
            ("POST", f"/executions/{execution_id}/tickets"),
            ("GET", "/workflows"),
        ):
            response = await anonymous.request(method, f"/v1{path}", params={"ticket": ticket})
            error = assert_error(response, "invalid_api_key")
            assert error["message"].startswith("A ticket opens the events of one execution")
        for name in ("X-API-Key", "Authorization"):
            value = ticket if name == "X-API-Key" else f"Bearer {ticket}"
            response = await anonymous.get(EVENTS.format(execution_id), headers={name: value})
            assert_error(response, "invalid_api_key")
    assert (await client.get(f"/v1/executions/{execution_id}")).json()["data"]["status"] in (
        "pending",
        "running",
    )


async def test_it_needs_its_keys_scope(server: LiveServer) -> None:
    key, stored = await create_key(
        server.parts.storage, scopes=frozenset(SCOPES) - {"executions:read"}
    )
    ticket = signed_by(key, stored.id, "exec_1", 60)
    assert_error(await get_with(server, ticket, "exec_1"), "insufficient_scope")


async def test_it_does_not_lead_into_another_workspace(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await finished(client)
    key, stored = await create_key(server.parts.storage, workspace="other")
    ticket = signed_by(key, stored.id, execution_id, 60)
    assert_error(await get_with(server, ticket, execution_id), "resource_not_found")


async def test_its_requests_count_against_the_key(server: LiveServer) -> None:
    key = await server.new_key(rate_limit_per_minute=5)
    async with server.client(key) as client:
        execution_id = await execute(client, await create(client, waiting(1)))
        ticket = (await ask(client, execution_id))["ticket"]
        response = await get_with(server, ticket, execution_id)
        assert response.headers["X-RateLimit-Remaining"] == "1"
        await get_with(server, ticket, execution_id)
        assert_error(await get_with(server, ticket, execution_id), "rate_limit_exceeded")


async def test_its_streams_count_against_the_key(tmp_path: Path) -> None:
    async with live_server(tmp_path, max_streams_per_key=1) as server, server.client() as client:
        execution_id = await running(client)
        ticket = (await ask(client, execution_id))["ticket"]
        async with a_stream_with(server, ticket, execution_id):
            refused = await client.get(EVENTS.format(execution_id))
            assert_error(refused, "rate_limit_exceeded")


async def test_its_key_is_not_looked_up_again_for_each_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        live_server(tmp_path, key_recheck_seconds=60) as server,
        server.client() as client,
    ):
        execution_id = await running(client)
        ticket = (await ask(client, execution_id))["ticket"]
        async with a_stream_with(server, ticket, execution_id):

            async def fail(*_: object) -> None:
                raise AssertionError("this stream needs no query")

            monkeypatch.setattr(server.parts.storage.keys, "find_with_hash", fail)
            async with a_stream_with(server, ticket, execution_id) as second:
                assert second.status == 200


async def test_a_restart_does_not_end_it(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        execution_id = await finished(client)
        ticket = (await ask(client, execution_id))["ticket"]
    async with live_server(tmp_path) as server:
        assert (await get_with(server, ticket, execution_id)).status_code == 200


async def test_the_answers_repr_shows_no_ticket() -> None:
    moment = datetime.now(UTC)
    view = TicketView(ticket="sealed", expires_at=moment, events_url="/x?ticket=sealed")
    assert "sealed" not in repr(view)
