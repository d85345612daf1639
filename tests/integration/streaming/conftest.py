"""Every test of a stream runs on each way that its bytes may go: on the socket lane and as ordinary
ASGI messages, over both kinds of event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
import uvloop

from tests.support.streaming import OpenStage, Stage, stage


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(params=[True, False], ids=["lane", "messages"])
def lane(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def open_stage(tmp_path: Path, lane: bool) -> OpenStage:
    return partial(stage, tmp_path, lane=lane)


@pytest.fixture(name="stage")
async def _stage(open_stage: OpenStage) -> AsyncIterator[Stage]:
    async with open_stage() as running:
        yield running
