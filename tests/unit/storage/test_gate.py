"""The bound on what waits to be written: who gets in, when, and in what order."""

from __future__ import annotations

import asyncio

import pytest

from flowmaestro.storage import StorageClosed
from flowmaestro.storage.sqlite.gate import Gate


async def test_lets_in_up_to_the_bound_and_then_in_order() -> None:
    gate = Gate(max_count=2, max_bytes=1_000)
    order: list[int] = []

    async def enter(name: int) -> None:
        await gate.enter(1)
        order.append(name)

    tasks = [asyncio.create_task(enter(name)) for name in range(5)]
    await asyncio.sleep(0)
    assert order == [0, 1]
    assert not gate.try_enter(1)
    gate.leave(1, 1)
    await tasks[2]
    gate.leave(2, 2)
    await tasks[4]
    assert order == [0, 1, 2, 3, 4]


async def test_bounds_bytes_but_lets_any_size_through() -> None:
    gate = Gate(max_count=100, max_bytes=10)
    assert gate.try_enter(1_000)
    assert not gate.try_enter(0)
    waiting = asyncio.create_task(gate.enter(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.leave(1, 1_000)
    await waiting
    assert gate.try_enter(5)
    assert not gate.try_enter(1)


async def test_nobody_passes_who_waits() -> None:
    gate = Gate(max_count=1, max_bytes=10)
    assert gate.try_enter(1)
    waiting = asyncio.create_task(gate.enter(1))
    await asyncio.sleep(0)
    gate.leave(1, 1)
    assert not gate.try_enter(1)
    await waiting


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    gate = Gate(max_count=1, max_bytes=10)
    assert gate.try_enter(1)
    first, second, third = [asyncio.create_task(gate.enter(1)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    gate.leave(1, 1)
    second.cancel()  # it was let in, and has not run yet
    await third
    assert first.cancelled()
    assert second.cancelled()
    gate.leave(1, 1)
    assert gate.try_enter(1)


async def test_closing_turns_away_who_waits() -> None:
    gate = Gate(max_count=1, max_bytes=10)
    assert gate.try_enter(1)
    waiting = asyncio.create_task(gate.enter(1))
    await asyncio.sleep(0)
    gate.close()
    with pytest.raises(StorageClosed):
        await waiting
