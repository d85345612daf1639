from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.server import LiveServer, live_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path) as live:
        yield live


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with server.client() as opened:
        yield opened
