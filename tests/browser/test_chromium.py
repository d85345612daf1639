from __future__ import annotations

from playwright.async_api import Page

from tests.support.server import LiveServer


async def test_a_page_of_the_server_reads_what_the_server_says(
    page: Page, server: LiveServer
) -> None:
    await page.goto(f"{server.base_url}/healthz")
    answer = await page.evaluate("async () => (await fetch('/healthz')).json()")
    assert answer["data"] == {"status": "ok"}
