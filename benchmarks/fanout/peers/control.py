"""How the harness and a peer's process speak: lines on its standard input and output.

When it listens the peer prints ``{"port": PORT, "pids": [...]}``, the processes whose CPU time and
memory are the server's. Then it is told, and answers each with one line of JSON:

``topics COUNT``
    Be ready for readers of so many topics: ``{"targets": [...], "headers": {...}}``, the path at
    which each is read, and the headers that a reader must send.
``emit SECONDS PER_SECOND PADDING WINDOW``
    Send events, each topic's next one in turn, for so long, at so many a second in all (0: as fast
    as it goes): ``{"emitted": COUNT}``. An event that a reader's socket has no room for is waited
    for; WINDOW is how many of a topic may be on their way where that is the peer's to decide.
``commits FILE``
    FlowMaestro only: write when each event was committed.

At the end of its input the peer ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What ``emit`` asks for."""

    seconds: float
    per_second: float
    """Of all topics together; 0 is as fast as it goes."""
    padding_bytes: int
    window: int

    @classmethod
    def parse(cls, words: list[str]) -> Order:
        seconds, per_second, padding, window = words
        return cls(float(seconds), float(per_second), int(padding), int(window))


class Publisher(Protocol):
    """A peer that lives in an event loop."""

    async def topics(self, count: int) -> Answer:
        """Get ready for so many topics."""

    async def publish(self, topic: int, number: int, sent_ns: int, order: Order) -> None:
        """Send an event to the topic's readers; return when the next one may come."""


def say(answer: Answer) -> None:
    """Print an answer."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def schedule(order: Order, begun: float, emitted: int) -> float:
    """Return how many seconds too early it is for the next event; negative: it is late."""
    if not order.per_second:
        return 0.0
    return begun + emitted / order.per_second - time.monotonic()


def is_over(order: Order, begun: float, emitted: int) -> bool:
    """Whether all events were emitted that the time allowed for."""
    if order.per_second and emitted >= round(order.seconds * order.per_second):
        return True
    return time.monotonic() - begun >= order.seconds


async def emit(publisher: Publisher, order: Order, numbers: list[int]) -> int:
    """Carry out an order. *numbers* is each topic's newest number, and goes on."""
    begun = time.monotonic()
    emitted = 0
    while not is_over(order, begun, emitted):
        early = schedule(order, begun, emitted)
        if early > 0:
            await asyncio.sleep(early)
        topic = emitted % len(numbers)
        numbers[topic] += 1
        await publisher.publish(topic, numbers[topic], time.monotonic_ns(), order)
        emitted += 1
    return emitted


async def obey(
    publisher: Publisher, others: dict[str, Callable[[str], Awaitable[Answer]]] | None = None
) -> None:
    """Do what standard input says until it ends. *others* are further commands."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    numbers: list[int] = []
    while line := (await reader.readline()).decode():
        command, *words = line.split()
        if command == "topics":
            numbers = [0] * int(words[0])
            say(await publisher.topics(len(numbers)))
        elif command == "emit":
            say({"emitted": await emit(publisher, Order.parse(words), numbers)})
        elif others and command in others:
            say(await others[command](words[0]))
        else:
            raise ValueError(f"no such command: {line}")
