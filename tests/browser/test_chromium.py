from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.support.chromium import NoChromium, launched_chromium
from tests.support.server import LiveServer


async def test_a_page_of_the_server_reads_what_the_server_says(
    page: Page, server: LiveServer
) -> None:
    await page.goto(f"{server.base_url}/healthz")
    answer = await page.evaluate("async () => (await fetch('/healthz')).json()")
    assert answer["data"] == {"status": "ok"}


async def test_a_machine_without_chromium_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoChromium, match="apt-get install chromium"):
        async with launched_chromium():
            pass
