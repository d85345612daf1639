"""Debian's Chromium for tests, driven by Playwright; Playwright's own browsers are not used."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, async_playwright

COMMAND = "chromium"


class NoChromium(Exception):
    """There is no Chromium to test with."""

    def __init__(self) -> None:
        super().__init__(
            f"The browser tests need the command `{COMMAND}`: `apt-get install chromium`, or "
            "leave them out with `--ignore tests/browser`."
        )


@contextlib.asynccontextmanager
async def launched_chromium() -> AsyncIterator[Browser]:
    """Run a headless Chromium.

    Raises:
        NoChromium: it is not installed.
    """
    executable = shutil.which(COMMAND)
    if executable is None:
        raise NoChromium
    # Chromium's sandbox refuses to run as root, which is who CI is.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, headless=True, args=arguments
        )
        try:
            yield browser
        finally:
            await browser.close()
