"""The browser's own EventSource, with a ticket."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import BrowserContext, Page

from flowmaestro.events import EXTENSION_TYPES
from tests.support.api import create, execute, finish, waiting
from tests.support.browser import many_naps, numbers, open_at, restartable_server, seen
from tests.support.server import LiveServer, live_server
from tests.support.web_site import WebSite

CLOSED = "window.source.readyState === EventSource.CLOSED"
MARKUP = "</script><script>window.hacked = true</script>\u2028<img src=x onerror=hacked=true>"


def echo() -> dict[str, Any]:
    return {
        "name": "Echo",
        "nodes": {
            "text": {"type": "input", "config": {"input_name": "text"}},
            "out": {"type": "output", "config": {"output_name": "text", "value": "{{ text }}"}},
        },
        "edges": [{"source": "text", "target": "out"}],
    }


async def address(client: httpx2.AsyncClient, execution_id: str, **query: str) -> str:
    """Return the absolute address of an execution's events, with a ticket."""
    response = await client.post(f"/api/v1/executions/{execution_id}/tickets")
    url = httpx2.URL(str(client.base_url)).join(response.json()["data"]["events_url"])
    return str(url.copy_merge_params(query))


async def watch(page: Page, url: str) -> None:
    await page.evaluate("(url) => watch(url)", url)


async def test_it_sees_every_event_once_and_stops_by_itself(
    page: Page, site: WebSite, client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowmaestro.access")
    await open_at(page, site)
    execution_id = await execute(client, await create(client, many_naps(3)))
    await watch(page, await address(client, execution_id))
    await page.wait_for_function(CLOSED)
    log = await client.get(f"/v1/executions/{execution_id}/events?follow=false&limit=1000")
    assert [event["type"] for event in await seen(page)] == [
        event["type"] for event in log.json()["data"]
    ]
    assert await numbers(page) == sorted(set(await numbers(page)))
    path = f"/api/v1/executions/{execution_id}/events"
    # The second is the browser's own reconnecting, whose cursor is the end.
    answers = [
        getattr(line, "status", 0) for line in caplog.records if getattr(line, "path", "") == path
    ]
    assert answers == [200, 204]


async def test_a_server_that_was_killed_costs_no_event_and_doubles_none(
    page: Page, site: WebSite, tmp_path: Path
) -> None:
    async with restartable_server(tmp_path, site) as (server, client):
        execution_id = await execute(client, await create(client, many_naps(30)))
        include = ",".join(EXTENSION_TYPES)
        url = await address(client, execution_id, include=include)
        await open_at(page, site)
        await watch(page, url)
        await page.wait_for_function("seen.length > 20")
        await asyncio.to_thread(server.kill)
        before = len(await seen(page))
        await asyncio.to_thread(server.start)
        await page.wait_for_function(CLOSED, timeout=60_000)
        events = await seen(page)
        assert len(events) > before
        # Nothing is filtered, so there is no gap.
        assert [event["number"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["type"] == "execution:completed"
        await asyncio.to_thread(server.stop)
        assert '"status": 204' in server.log


async def test_a_page_of_another_origin_receives_nothing_unless_it_is_configured(
    page: Page, site: WebSite, tmp_path: Path
) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        execution_id = await execute(client, await create(client, waiting(1)))
        await finish(client, execution_id)
        await open_at(page, site)
        await watch(page, await address(client, execution_id))
        await page.wait_for_function(CLOSED)
        assert await seen(page) == []


async def test_reconnecting_to_another_origin_needs_no_preflight(
    page: Page,
    site: WebSite,
    server: LiveServer,
    client: httpx2.AsyncClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "flowmaestro.access")
    await open_at(page, site)
    execution_id = await execute(client, await create(client, waiting()))
    await watch(page, await address(client, execution_id))
    await page.wait_for_function("seen.length === 2")
    hub = server.parts.hub
    hub.end_streams_of(frozenset(hub.admission.owners))
    await page.wait_for_function("source.readyState === EventSource.CONNECTING")
    await client.post(f"/v1/executions/{execution_id}/cancel")
    await page.wait_for_function(CLOSED)
    assert await numbers(page) == sorted(set(await numbers(page)))
    assert (await seen(page))[-1]["type"] == "execution:cancelled"
    methods = {getattr(line, "method", "") for line in caplog.records}
    assert "OPTIONS" not in methods


async def test_a_reconnect_with_a_ticket_that_has_expired_is_the_end_for_a_browser(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await open_at(page, site)
    execution_id = await execute(client, await create(client, waiting()))
    response = await client.post(f"/v1/executions/{execution_id}/tickets", json={"ttl_seconds": 1})
    ticket = response.json()["data"]
    await watch(page, f"{server.base_url}{ticket['events_url']}")
    await page.wait_for_function("seen.length === 2")
    await page.wait_for_function(
        "(moment) => Date.now() > Date.parse(moment)", arg=ticket["expires_at"]
    )
    assert await page.evaluate("source.readyState === EventSource.OPEN")
    hub = server.parts.hub
    hub.end_streams_of(frozenset(hub.admission.owners))
    await page.wait_for_function(CLOSED)
    assert len(await seen(page)) == 2


async def test_two_tabs_see_the_same(
    context: BrowserContext, site: WebSite, client: httpx2.AsyncClient
) -> None:
    pages = [await context.new_page() for _ in range(2)]
    execution_id = await execute(client, await create(client, many_naps(5)))
    url = await address(client, execution_id)
    for page in pages:
        await open_at(page, site)
        await watch(page, url)
    for page in pages:
        await page.wait_for_function(CLOSED)
    first, second = [await seen(page) for page in pages]
    assert first == second
    assert first[-1]["type"] == "execution:completed"


@pytest.mark.parametrize("text", [MARKUP, "\U0001f469\u200d\U0001f52c" * 90_000])
async def test_an_output_arrives_as_the_text_it_is(
    page: Page, site: WebSite, client: httpx2.AsyncClient, text: str
) -> None:
    await open_at(page, site)
    execution_id = await execute(client, await create(client, echo()), text=text)
    await watch(page, await address(client, execution_id))
    await page.wait_for_function(CLOSED)
    assert (await seen(page))[-1]["outputs"] == {"text": text}
    assert not await page.evaluate("'hacked' in window")
