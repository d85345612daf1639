"""Stalled readers where the system does not tell what was acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from flowmaestro.streaming import StreamingCounters, StreamingOptions
from flowmaestro.streaming.lane.stalls import Stalls

STALLED_SECONDS = 0.2


@dataclass
class Hub:
    closed = False
    options: StreamingOptions = field(
        default_factory=lambda: StreamingOptions(stalled_reader_seconds=STALLED_SECONDS)
    )
    counters: StreamingCounters = field(default_factory=StreamingCounters)


class Transport:
    held_bytes = 1_000

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.held_bytes


class Stream:
    group = None

    def __init__(self, stalls: Stalls) -> None:
        self.transport = Transport()
        self.dropped = asyncio.Event()
        self._stalls = stalls

    def drop(self) -> None:
        self._stalls.unwatch(cast(Any, self))
        self.dropped.set()


async def test_what_is_written_to_a_stalled_reader_is_no_sign_of_its_life() -> None:
    stalls = Stalls(cast(Any, Hub()))
    stream = Stream(stalls)
    stalls.watch(cast(Any, stream))
    async with asyncio.timeout(20 * STALLED_SECONDS):
        while not stream.dropped.is_set():
            stream.transport.held_bytes += 14
            await asyncio.sleep(STALLED_SECONDS / 10)


async def test_a_reader_that_takes_some_of_what_is_held_is_kept() -> None:
    stalls = Stalls(cast(Any, Hub()))
    stream = Stream(stalls)
    stalls.watch(cast(Any, stream))
    for _ in range(20):
        stream.transport.held_bytes -= 14
        await asyncio.sleep(STALLED_SECONDS / 10)
    assert not stream.dropped.is_set()
    stalls.unwatch(cast(Any, stream))
