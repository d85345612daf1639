"""The commands and programs in the documentation run, and print what their pages show."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.docs_matching import explain, matches
from tests.support.docs_pages import ROOT, Block, blocks_of, name_of, pages
from tests.support.docs_session import Ran, Session, session
from tests.support.server import free_port, live_server

Runs = dict[Path, asyncio.Task[None]]

PAGES = [page for page in pages() if any(block.role == "run" for block in blocks_of(page))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Runs]:
    """The pages that were chosen, all under way: most of their time is Python starting up."""
    at_once = asyncio.Semaphore(os.cpu_count() or 1)

    async def run(page: Path) -> None:
        async with at_once:
            await _go_through(page, tmp_path_factory.mktemp(page.stem))

    chosen = [
        page for page in PAGES if any(name_of(page) in item.name for item in request.session.items)
    ]
    chosen.sort(key=lambda page: -page.read_text().count("\nflowmaestro "))  # the longest first
    tasks = {page: asyncio.create_task(run(page)) for page in chosen}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
async def test_a_page_does_what_it_says(page: Path, runs: Runs) -> None:
    await runs[page]


async def _go_through(page: Path, folder: Path) -> None:
    shutil.copytree(ROOT / "examples", folder / "examples")
    blocks = blocks_of(page)
    if any(block.role == "server" for block in blocks):
        async with session(folder, f"127.0.0.1:{free_port()}", {}) as own:
            await _run(blocks, own)
        return
    async with live_server(folder) as server:
        address = server.base_url.removeprefix("http://")
        async with session(folder, address, {"FLOWMAESTRO_API_KEY": server.key}) as shared:
            await _run(blocks, shared)


async def _run(blocks: list[Block], own: Session) -> None:
    ran: Ran | None = None
    for block in blocks:
        if block.role == "file":
            own.write_file(block.name, block.text)
        elif block.role == "server":
            await own.serve(block.text)
        elif block.role == "run":
            run = own.python if block.language == "python" else own.bash
            ran = await run(block.text)
            assert ran.status == 0, f"{block.place}\n{ran.output}"
        elif block.role == "output":
            assert ran is not None, f"{block.place}: nothing was run before"
            assert matches(block.text, ran.output), (
                f"{block.place}: {explain(block.text, ran.output)}"
            )
