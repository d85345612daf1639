"""The databases that the contract tests run on: another one is added here and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flowmaestro.storage import Storage


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that is the test's own."""
    return f"{request.param}:///{tmp_path / 'flowmaestro.db'}"


@pytest.fixture
async def storage(database_url: str) -> AsyncIterator[Storage]:
    async with await Storage.open(database_url) as storage:
        yield storage
