"""Real pages in a real Chromium.

One browser serves all tests, so they share the event loop that it is driven from; each test gets
a profile of its own.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.support.chromium import CHROMIUM, launched_chromium
from tests.support.server import LiveServer, live_server
from tests.support.web_site import WebSite, web_site

HERE = Path(__file__).parent
NEEDED = (CHROMIUM, "npm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [command for command in NEEDED if shutil.which(command) is None]
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if missing:  # whoever has Python alone can test the rest; in CI a skipped test is a failure
            item.add_marker(pytest.mark.skip(f"it needs {' and '.join(missing)}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with launched_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def sdk() -> Path:
    """The folder of the built TypeScript SDK."""
    root = HERE.parents[1]
    built = subprocess.run(
        ["make", "--silent", "sdk-build"], cwd=root, capture_output=True, text=True
    )
    if built.returncode != 0:
        pytest.fail(f"`make sdk-build` failed:\n{built.stdout}{built.stderr}", pytrace=False)
    return root / "sdk/typescript/dist"


@pytest.fixture(scope="session")
def built_page() -> None:
    """The server has the page that shows executions."""
    built = subprocess.run(
        ["make", "--silent", "web"], cwd=HERE.parents[1], capture_output=True, text=True
    )
    if built.returncode != 0:
        pytest.fail(f"`make web` failed:\n{built.stdout}{built.stderr}", pytrace=False)


@pytest_asyncio.fixture(loop_scope="session")
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile; its pages must not throw what nobody catches."""
    opened = await chromium.new_context()
    uncaught: list[str] = []
    opened.on("weberror", lambda found: uncaught.append(str(found.error)))
    yield opened
    await opened.close()
    assert uncaught == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def site(sdk: Path) -> AsyncIterator[WebSite]:
    """A web site of somebody else, at another origin."""
    async with web_site(sdk) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, site: WebSite) -> AsyncIterator[LiveServer]:
    """A server that lets the site's pages in."""
    async with live_server(tmp_path, cors_origins=(site.origin,)) as live:
        yield live


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: LiveServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with server.client() as opened:
        yield opened
