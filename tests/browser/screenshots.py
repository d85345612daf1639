"""Pictures of the page, for the documentation: ``make screenshots``.

running.png     an execution under way
failed.png      one that failed, with the node that did
completed.png   one that has completed, in the dark
narrow.png      on a telephone
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser

from tests.support import page_scenarios as scenarios
from tests.support.api import create, execute, finish
from tests.support.chromium import launched_chromium
from tests.support.execution_page import ExecutionPage
from tests.support.server import LiveServer, live_server

INPUTS = {"since": "2025-03-01"}


@contextlib.asynccontextmanager
async def tab(
    browser: Browser, server: LiveServer, width: int, height: int, *, dark: bool = False
) -> AsyncIterator[ExecutionPage]:
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        timezone_id="Europe/Zurich",
    )
    yield ExecutionPage(await context.new_page(), server.base_url)
    await context.close()


async def take(folder: Path) -> None:
    """Write the pictures to *folder*."""
    with tempfile.TemporaryDirectory() as database:
        async with (
            live_server(Path(database), nodes=scenarios.NODES) as server,
            server.client() as client,
            launched_chromium() as browser,
        ):
            workflow_id = await create(client, scenarios.feedback(pace_ms=500))
            execution_id = await execute(client, workflow_id, **INPUTS)
            async with tab(browser, server, 1360, 850) as shown:
                await shown.open_execution(execution_id, server.key)
                await shown.page.locator('[data-node="reviews"].is-completed').wait_for()
                await shown.node("reviews").click()
                await shown.expect_node("reply", "running")
                await shown.page.screenshot(path=folder / "running.png", animations="disabled")
            await finish(client, execution_id)
            async with tab(browser, server, 1360, 850, dark=True) as shown:
                await shown.open_execution(execution_id, server.key)
                await shown.expect_status("Completed")
                await shown.expect_node("done", "completed")
                await shown.show_events()
                await shown.page.screenshot(path=folder / "completed.png", animations="disabled")

            await client.put(
                "/api/v1/workflows/feedback", json=scenarios.feedback(pace_ms=150, failing=True)
            )
            execution_id = await execute(client, workflow_id, **INPUTS)
            await finish(client, execution_id)
            for name, width, height in (("failed", 1360, 850), ("narrow", 360, 780)):
                async with tab(browser, server, width, height) as shown:
                    await shown.open_execution(execution_id, server.key)
                    await shown.expect_status("Failed")
                    await shown.expect_node("reply", "failed")
                    if name == "failed":
                        await shown.node("reply").click()
                    await shown.page.screenshot(path=folder / f"{name}.png", animations="disabled")


def main() -> None:
    parser = argparse.ArgumentParser(description="Take pictures of the page.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/screenshots"))
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder))
    for picture in sorted(folder.glob("*.png")):
        print(f"{picture}  {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
