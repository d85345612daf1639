from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.raw_http import request
from tests.support.streaming import Stage, until


async def get_page(stage: Stage, target: str, **headers: str) -> dict[str, Any]:
    async with await request(
        stage.port, target, headers={"Accept": "application/json", **headers}
    ) as response:
        body = await response.read_all()
        assert response.status == 200, body
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
    page: dict[str, Any] = json.loads(body)
    assert set(page) == {"data", "next_cursor", "done", "meta"}
    assert set(page["meta"]) == {"request_id", "timestamp"}
    return page


async def test_a_page_holds_the_events_and_where_to_go_on(stage: Stage) -> None:
    script = await stage.script(events=3)
    records = await stage.storage.log.read(script.execution_id, after=0, limit=10)
    page = await get_page(stage, f"/{script.execution_id}")
    assert page["data"] == [json.loads(record.data) for record in records]
    assert page["next_cursor"] == 3
    assert page["done"] is False


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream", "text/html"])
async def test_follow_false_asks_for_a_page_whatever_is_accepted(stage: Stage, accept: str) -> None:
    script = await stage.script(events=2)
    page = await get_page(stage, f"/{script.execution_id}?follow=false", Accept=accept)
    assert len(page["data"]) == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_pages_follow_on_each_other_to_the_end(stage: Stage, limit: int) -> None:
    script = await stage.script(events=4)
    await script.append_hidden(3)
    await script.append(2)
    await script.finish()
    whole = (await get_page(stage, f"/{script.execution_id}"))["data"]
    assert [event["type"] for event in whole] == ["node:started"] * 6 + ["execution:completed"]
    found: list[Any] = []
    cursor, done = 0, False
    while not done:
        page = await get_page(stage, f"/{script.execution_id}?limit={limit}&last_event_id={cursor}")
        assert len(page["data"]) <= limit
        found += page["data"]
        cursor, done = page["next_cursor"], page["done"]
    assert found == whole
    assert cursor == script.length


async def test_a_page_has_100_events_unless_asked_otherwise(stage: Stage) -> None:
    script = await stage.script(events=1_200)
    page = await get_page(stage, f"/{script.execution_id}")
    assert (len(page["data"]), page["next_cursor"]) == (100, 100)
    page = await get_page(stage, f"/{script.execution_id}?limit=1000")
    assert (len(page["data"]), page["next_cursor"]) == (1000, 1000)


async def test_a_page_of_large_events_is_cut_short_and_the_next_goes_on(stage: Stage) -> None:
    script = await stage.script()
    await script.append(8, padding=900_000, batch=1)
    page = await get_page(stage, f"/{script.execution_id}?limit=8")
    assert 4 <= len(page["data"]) < 8
    assert page["next_cursor"] == len(page["data"])
    rest = await get_page(
        stage, f"/{script.execution_id}?limit=8&last_event_id={page['next_cursor']}"
    )
    assert rest["next_cursor"] == 8


@pytest.mark.parametrize("cursor", [2, 3])
async def test_a_page_at_the_end_is_empty_and_done(stage: Stage, cursor: int) -> None:
    script = await stage.script(events=1, finished=True)
    page = await get_page(stage, f"/{script.execution_id}?wait=60&last_event_id={cursor}")
    assert (page["data"], page["done"], page["next_cursor"]) == ([], True, 2)


async def test_a_filtered_page_goes_on_behind_what_it_hides(stage: Stage) -> None:
    script = await stage.script(events=250)
    page = await get_page(stage, f"/{script.execution_id}?types=node:completed&limit=1")
    assert (page["data"], page["done"], page["next_cursor"]) == ([], False, 250)


async def test_a_long_poll_returns_at_once_what_is_there(stage: Stage) -> None:
    script = await stage.script(events=2)
    page = await get_page(stage, f"/{script.execution_id}?wait=60")
    assert page["next_cursor"] == 2
    await stage.wait_nobody_follows()


async def test_a_long_poll_waits_for_the_next_visible_event(stage: Stage) -> None:
    script = await stage.script(events=2)
    polling = asyncio.create_task(
        get_page(stage, f"/{script.execution_id}?wait=60&last_event_id=2")
    )
    await until(lambda: stage.hub.gauges().subscriptions == 1)
    await script.append_hidden(3)
    await script.append(1)
    page = await polling
    assert ([event["type"] for event in page["data"]], page["next_cursor"]) == (
        ["node:started"],
        6,
    )
    await stage.wait_nobody_follows()


async def test_a_long_poll_returns_at_the_end_of_the_log(stage: Stage) -> None:
    script = await stage.script(events=2)
    polling = asyncio.create_task(
        get_page(stage, f"/{script.execution_id}?wait=60&last_event_id=2&types=node:completed")
    )
    await until(lambda: stage.hub.gauges().subscriptions == 1)
    await script.finish()
    page = await polling
    assert (len(page["data"]), page["done"]) == (1, True)


async def test_a_long_poll_returns_an_empty_page_when_its_time_is_over(stage: Stage) -> None:
    script = await stage.script(events=2)
    page = await get_page(stage, f"/{script.execution_id}?wait=0.01&last_event_id=2")
    assert (page["data"], page["done"], page["next_cursor"]) == ([], False, 2)
    await stage.wait_nobody_follows()


async def test_a_client_that_leaves_its_long_poll_frees_it_at_once(stage: Stage) -> None:
    script = await stage.script()
    polling = asyncio.create_task(
        get_page(stage, f"/{script.execution_id}?wait=60&last_event_id=0")
    )
    await until(lambda: stage.hub.gauges().subscriptions == 1)
    polling.cancel()
    await asyncio.wait([polling])
    await stage.wait_nobody_follows()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
        ("limit=x", "query.limit"),
        ("limit=", "query.limit"),
        ("limit=²", "query.limit"),
        ("wait=61", "query.wait"),
        ("wait=-1", "query.wait"),
        ("wait=nan", "query.wait"),
        ("wait=1e1", "query.wait"),
        ("wait=", "query.wait"),
    ],
)
async def test_a_page_out_of_bounds_is_refused(stage: Stage, query: str, field: str) -> None:
    script = await stage.script()
    target = f"/{script.execution_id}?follow=false&{query}".replace("²", "%C2%B2")
    async with await request(stage.port, target) as response:
        assert response.status == 400
        details = json.loads(await response.read_all())["error"]["details"]
    assert details["field"] == field
    assert set(details["allowed"]) == {"minimum", "maximum"}
