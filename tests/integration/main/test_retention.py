"""The sweep of a running server: what it removes under which settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from flowmaestro.main.retention import sweep_periodically
from flowmaestro.storage import Idempotency, Storage, StorageOptions
from tests.support.storage import MOMENT, completed, create_execution, new_execution, note

TIMEOUT_SECONDS = 20


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    options = StorageOptions(clock=lambda: MOMENT + timedelta(hours=30))
    async with await Storage.open(str(tmp_path / "main.db"), options=options) as storage:
        yield storage


@contextlib.asynccontextmanager
async def sweeping(
    storage: Storage, *, keep_days: float | None = None, max_events: int | None = None
) -> AsyncIterator[None]:
    """Sweep until the block ends, which must be soon."""
    task = asyncio.create_task(
        sweep_periodically(
            storage,
            keep_days=keep_days,
            max_events=max_events,
            interval_seconds=0.01,
            clock=lambda: MOMENT,
        )
    )
    async with asyncio.timeout(TIMEOUT_SECONDS):
        yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def ended_log(storage: Storage, *, days_ago: int, milliseconds: int = 0) -> str:
    log = (await create_execution(storage)).id
    ago = timedelta(days=days_ago, milliseconds=milliseconds)
    end = completed(log, "end", at=MOMENT - ago)
    await storage.log.append(log, [note(log)] * 3 + [end])
    return log


async def trimmed_through(storage: Storage, log: str) -> int:
    return (await storage.log.head(log)).trimmed_through


async def test_age_and_number_are_two_rules(storage: Storage) -> None:
    old, new = await ended_log(storage, days_ago=10), await ended_log(storage, days_ago=1)
    async with sweeping(storage, keep_days=5, max_events=3):
        while await trimmed_through(storage, old) < 4 or await trimmed_through(storage, new) < 1:
            pass
    assert await trimmed_through(storage, new) == 1


async def test_an_age_is_reached_to_the_millisecond(storage: Storage) -> None:
    exactly = await ended_log(storage, days_ago=5)
    longer = await ended_log(storage, days_ago=5, milliseconds=1)
    async with sweeping(storage, keep_days=5):
        while await trimmed_through(storage, longer) < 4:
            pass
    assert await trimmed_through(storage, exactly) == 0


async def test_each_rule_works_without_the_other(storage: Storage) -> None:
    old, new = await ended_log(storage, days_ago=10), await ended_log(storage, days_ago=1)
    async with sweeping(storage, keep_days=5):
        while await trimmed_through(storage, old) < 4:
            pass
    assert await trimmed_through(storage, new) == 0
    async with sweeping(storage, max_events=0):
        while await trimmed_through(storage, new) < 4:
            pass


async def test_without_any_rule_old_idempotency_records_go_and_events_stay(
    storage: Storage,
) -> None:
    log = await ended_log(storage, days_ago=10_000)
    idempotency = Idempotency("key", "one")
    await create_execution(storage, idempotency=idempotency, created_at=MOMENT)

    async def is_forgotten() -> bool:
        # With its record gone, even a request from within its lifetime begins something new.
        _, created = await storage.executions.create(
            new_execution(storage, idempotency=idempotency, created_at=MOMENT)
        )
        return created

    async with sweeping(storage):
        while not await is_forgotten():
            pass
    assert await trimmed_through(storage, log) == 0
