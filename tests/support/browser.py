"""What tests of pages do with a page of the web site of ``tests/support/web_site.py``."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

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
