"""The TypeScript SDK's helper for the browser's EventSource."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page

from flowmaestro.events import EXTENSION_TYPES
from tests.support.api import create, execute, finish, waiting
from tests.support.browser import many_naps, numbers, open_at, restartable_server, seen
from tests.support.server import LiveServer, create_key, free_port, live_server
from tests.support.web_site import WebSite


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: LiveServer, site: WebSite) -> AsyncIterator[httpx2.AsyncClient]:
    """Who executes; the site gives tickets with the same key."""
    async with server.client() as opened:
        site.flows = opened
        yield opened


async def follow(page: Page, base_url: str, execution_id: str, **options: Any) -> None:
    await page.evaluate("(args) => follow(...args)", [base_url, execution_id, options])


async def close(page: Page) -> str | None:
    """Wait until it has closed, and return the error that it gave up with."""
    await page.wait_for_function("window.isOver", timeout=60_000)
    failure: str | None = await page.evaluate("window.failure")
    return failure


def end_streams(server: LiveServer) -> None:
    """End all streams on a whole frame, as a proxy's time limit would."""
    hub = server.parts.hub
    hub.end_streams_of(frozenset(hub.admission.owners))


async def test_it_follows_an_execution_to_its_end(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await open_at(page, site)
    execution_id = await execute(client, await create(client, many_naps(3)))
    await follow(page, server.base_url, execution_id)
    assert await close(page) is None
    log = await client.get(f"/v1/executions/{execution_id}/events?follow=false&limit=1000")
    assert [event["type"] for event in await seen(page)] == [
        event["type"] for event in log.json()["data"]
    ]
    assert await page.evaluate("reconnects") == []
    assert len(site.tickets) == 1
    assert await page.evaluate("subscription.lastEventId") == (await numbers(page))[-1]


async def test_a_ticket_that_expired_is_renewed_and_the_stream_goes_on_at_its_cursor(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    opened: list[str] = []
    page.on("request", lambda sent: opened.append(sent.url))
    await open_at(page, site)
    site.ttl_seconds = 1
    execution_id = await execute(client, await create(client, waiting()))
    await follow(page, server.base_url, execution_id)
    await page.wait_for_function("seen.length === 2")
    expires_at = site.tickets[0]["expires_at"]
    await page.wait_for_function("(moment) => Date.now() > Date.parse(moment)", arg=expires_at)
    site.ttl_seconds = 300
    end_streams(server)
    await page.wait_for_function("reconnects.includes('ExpiredAPIKey')")
    await client.post(f"/v1/executions/{execution_id}/cancel")
    assert await close(page) is None
    assert await numbers(page) == list(range(1, len(await seen(page)) + 1))
    assert (await seen(page))[-1]["type"] == "execution:cancelled"
    assert len(site.tickets) == 2
    renewed = [url for url in opened if site.tickets[1]["ticket"] in url]
    assert all("last_event_id=2" in url for url in renewed)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_server_that_goes_away_costs_no_event_and_doubles_none(
    page: Page, site: WebSite, tmp_path: Path, end: str
) -> None:
    async with restartable_server(tmp_path, site) as (server, client):
        site.flows = client
        execution_id = await execute(client, await create(client, many_naps(30)))
        await open_at(page, site)
        include = list(EXTENSION_TYPES)
        await follow(page, server.base_url, execution_id, include=include)
        await page.wait_for_function("seen.length > 20")
        await asyncio.to_thread(getattr(server, end))
        await asyncio.to_thread(server.start)
        assert await close(page) is None
        events = await seen(page)
        # Nothing is filtered, so there is no gap.
        assert [event["number"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["type"] == "execution:completed"
        assert len(await page.evaluate("reconnects")) > 0


async def test_a_cursor_at_the_end_closes_it_without_an_event(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await open_at(page, site)
    execution_id = await execute(client, await create(client, waiting(1)))
    await finish(client, execution_id)
    await follow(page, server.base_url, execution_id, lastEventId=99)
    assert await close(page) is None
    assert await seen(page) == []


async def test_close_stops_it_at_once(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await open_at(page, site)
    execution_id = await execute(client, await create(client, waiting()))
    await follow(page, server.base_url, execution_id)
    await page.wait_for_function("seen.length === 2")
    await page.evaluate("subscription.close()")
    assert await close(page) is None
    async with asyncio.timeout(30):
        await server.parts.hub.wait_empty()


async def test_a_key_that_was_revoked_ends_it_with_what_the_server_says(
    page: Page, site: WebSite, server: LiveServer
) -> None:
    key, stored = await create_key(server.parts.storage)
    async with server.client(key) as client:
        site.flows = client
        await open_at(page, site)
        execution_id = await execute(client, await create(client, waiting()))
        await page.evaluate(
            "(id) => fetchTicket(id).then((made) => { window.made = made; })", execution_id
        )
        await server.parts.storage.keys.revoke(stored.id)
        await page.evaluate(
            "([url, id]) => follow(url, id, { ticket: () => made })",
            [server.base_url, execution_id],
        )
        assert await close(page) == "RevokedAPIKey: The API key of this ticket has been revoked."


async def test_another_executions_ticket_ends_it_with_what_the_server_says(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await open_at(page, site)
    workflow_id = await create(client, waiting())
    mine, other = [await execute(client, workflow_id) for _ in range(2)]
    await page.evaluate(
        "([url, mine, other]) => follow(url, mine, { ticket: () => fetchTicket(other) })",
        [server.base_url, mine, other],
    )
    failure = await close(page)
    assert failure is not None
    assert failure.startswith(f"InvalidAPIKey: This ticket opens the events of {other} and nothing")


async def test_what_the_tickets_source_throws_ends_it(
    page: Page, site: WebSite, server: LiveServer
) -> None:
    await open_at(page, site)
    await page.evaluate(
        "(url) => follow(url, 'exec_1', { ticket: () => { throw new Error('signed out'); } })",
        server.base_url,
    )
    assert await close(page) == "Error: signed out"


async def test_a_page_of_an_origin_that_is_not_configured_is_told_what_to_do(
    page: Page, site: WebSite, tmp_path: Path
) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        site.flows = client
        await open_at(page, site)
        execution_id = await execute(client, await create(client, waiting()))
        await follow(page, server.base_url, execution_id)
        failure = await close(page)
        assert failure is not None
        assert failure.startswith("ConnectionFailed: ")
        assert f"is {site.origin} in the server's FLOWMAESTRO_CORS_ORIGINS?" in failure


async def test_an_address_where_nobody_listens_is_given_up(page: Page, site: WebSite) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    await open_at(page, site)
    await follow(page, address, "exec_1", ticket="sealed")
    assert await close(page) == f"ConnectionFailed: No connection to {address}."
