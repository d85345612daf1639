"""What ``docs/browser.md`` shows works, and what it says of browsers is so."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.api import create, execute, waiting
from tests.support.browser import many_naps, open_at
from tests.support.docs_pages import DOCS, blocks_of
from tests.support.server import LiveServer, free_port, live_server
from tests.support.web_site import WebSite

FLOWS_ADDRESS, SITE_ADDRESS = "http://127.0.0.1:8000", "http://127.0.0.1:3000"


@contextlib.asynccontextmanager
async def site_of_the_page(
    folder: Path, sdk: Path, flows: LiveServer, port: int
) -> AsyncIterator[None]:
    """Run the site that the page shows, as it says."""
    for block in blocks_of(DOCS / "browser.md"):
        if block.role == "file":
            path = folder / block.name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text.replace(FLOWS_ADDRESS, flows.base_url))
    package = folder / "node_modules/@flowmaestro/sdk"
    package.mkdir(parents=True)
    (package / "dist").symlink_to(sdk)
    environment = {
        **os.environ,
        "FLOWMAESTRO_BASE_URL": flows.base_url,
        "FLOWMAESTRO_API_KEY": flows.key,
    }
    command = ("-m", "uvicorn", "web:app", "--port", str(port))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        said = ""
        while "Uvicorn running on" not in said:
            line = (await process.stderr.readline()).decode()
            assert line, said
            said += line
        yield
    finally:
        process.terminate()
        await process.communicate()


@pytest_asyncio.fixture(loop_scope="session")
async def shown(tmp_path: Path, sdk: Path) -> AsyncIterator[tuple[LiveServer, str]]:
    """A server, and the address of the page's site, whose origin it lets in."""
    port = free_port()
    origin = SITE_ADDRESS.replace("3000", str(port))
    async with (
        live_server(tmp_path, cors_origins=(origin,)) as flows,
        site_of_the_page(tmp_path, sdk, flows, port),
    ):
        yield flows, origin


@pytest.mark.parametrize("name", ["", "sdk.html"])
async def test_the_examples_follow_an_execution_to_its_end(
    page: Page, shown: tuple[LiveServer, str], name: str
) -> None:
    flows, origin = shown
    async with flows.client() as client:
        execution_id = await execute(client, await create(client, many_naps(10)))
        await page.goto(f"{origin}/{name}?execution={execution_id}")
        await expect(page.locator("p")).to_have_text("Done.", timeout=30_000)
        assert await page.locator("progress").evaluate("bar => bar.value") == 100

        execution_id = await execute(client, await create(client, waiting()))
        await page.goto(f"{origin}/{name}?execution={execution_id}")
        await client.post(f"/v1/executions/{execution_id}/cancel")
        await expect(page.locator("p")).to_have_text("Cancelled.", timeout=30_000)


async def test_the_sdks_example_says_who_may_not_watch(
    page: Page, shown: tuple[LiveServer, str]
) -> None:
    _, origin = shown
    await page.goto(f"{origin}/sdk.html?execution=exec_nothing")
    await expect(page.locator("p")).to_have_text("You may not watch this execution.")


async def test_the_seventh_connection_waits_for_one_of_the_six_to_close(
    page: Page, site: WebSite, server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await open_at(page, site)
    execution_id = await execute(client, await create(client, waiting()))
    ticket = (await client.post(f"/v1/executions/{execution_id}/tickets")).json()["data"]
    await page.evaluate(
        "(url) => { window.sources = Array.from({ length: 7 }, () => new EventSource(url)); }",
        f"{server.base_url}{ticket['events_url']}",
    )
    open_now = "sources.filter(({ readyState }) => readyState === EventSource.OPEN).length"
    await page.wait_for_function(f"{open_now} === 6")
    assert server.parts.hub.gauges().subscriptions == 6
    await page.evaluate("sources.find(({ readyState }) => readyState === EventSource.OPEN).close()")
    await page.wait_for_function(f"{open_now} === 6")
    assert await page.evaluate(
        "sources.every(({ readyState }) => readyState !== EventSource.CONNECTING)"
    )
