"""What tests of pages do with a page of the web site of ``tests/support/web_site.py``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Page

from tests.support.server import ServerProcess, free_port, server_process
from tests.support.web_site import WebSite


def many_naps(count: int) -> dict[str, Any]:
    """A workflow of one short wait after the other."""
    body = {"nodes": {"nap": {"type": "wait", "config": {"duration_ms": 40}}}, "edges": []}
    config = {"items": list(range(count)), "max_concurrency": 1, "body": body}
    return {
        "name": "Naps",
        "nodes": {"each": {"type": "loop", "config": config}},
        "edges": [],
    }


@asynccontextmanager
async def restartable_server(
    folder: Path, site: WebSite
) -> AsyncIterator[tuple[ServerProcess, httpx2.AsyncClient]]:
    """Run a server that lets the site's pages in, at the same port each time it is started, and
    return it with a client that has a key."""
    environment = {
        "FLOWMAESTRO_PORT": str(free_port()),
        "FLOWMAESTRO_CORS_ORIGINS": site.origin,
    }
    with server_process(folder, environment) as server:
        headers = {"X-API-Key": await server.new_key()}
        async with httpx2.AsyncClient(
            base_url=server.base_url, headers=headers, trust_env=False, timeout=30
        ) as client:
            yield server, client


async def open_at(page: Page, site: WebSite) -> None:
    """Open the site in *page*, and return when its script has run."""
    await page.goto(site.origin)
    await page.wait_for_function("window.ready")


async def seen(page: Page) -> list[dict[str, Any]]:
    """Return the events that the page has seen, each with its ``number``."""
    found: list[dict[str, Any]] = await page.evaluate("seen")
    return found


async def numbers(page: Page) -> list[int]:
    return [event["number"] for event in await seen(page)]
