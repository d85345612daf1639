"""Debian's Chromium for tests, driven by Playwright; Playwright's own browsers are not used."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, async_playwright

CHROMIUM = "chromium"
"""The command, of Debian's package of that name."""


@contextlib.asynccontextmanager
async def launched_chromium() -> AsyncIterator[Browser]:
    """Run a headless Chromium."""
    # Chromium's sandbox refuses to run as root, which is who CI is.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which(CHROMIUM), headless=True, args=arguments
        )
        try:
            yield browser
        finally:
            await browser.close()
