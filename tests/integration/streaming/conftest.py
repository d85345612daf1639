"""Every test of a stream runs twice: on the socket lane, and on ordinary ASGI messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.streaming import OpenStage, Stage, stage


@pytest.fixture(params=[True, False], ids=["lane", "asgi"])
def lane(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def open_stage(tmp_path: Path, lane: bool) -> OpenStage:
    return partial(stage, tmp_path, lane=lane)


@pytest.fixture(name="stage")
async def _stage(open_stage: OpenStage) -> AsyncIterator[Stage]:
    async with open_stage() as running:
        yield running
