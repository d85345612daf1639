"""What the three ASGI peers share: a bounded queue for each reader, and uvicorn at its quickest.

A queue for each client that an ``async`` generator waits on is how their documentation and everyone
who follows it broadcasts. uvicorn runs on uvloop with httptools, without an access log, and sets
TCP_NODELAY as asyncio always does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

from benchmarks.fanout.peers.control import Answer, Order, obey, say

QUEUED_EVENTS = 4
"""Over it the producer waits for that reader, so that a peer that is too slow shows it."""

T = TypeVar("T")


class Topics(Generic[T]):
    """The readers of each topic."""

    def __init__(self, encode: Callable[[int, int, int], T]) -> None:
        """*encode* makes what goes into the queues, once for each event."""
        self._encode = encode
        self._readers: list[set[asyncio.Queue[T]]] = []

    @contextmanager
    def reader(self, topic: int) -> Iterator[asyncio.Queue[T]]:
        """Give the queue of a new reader of *topic*."""
        queue: asyncio.Queue[T] = asyncio.Queue(QUEUED_EVENTS)
        self._readers[topic].add(queue)
        try:
            yield queue
        finally:
            self._readers[topic].discard(queue)

    async def topics(self, count: int) -> Answer:
        self._readers = [set() for _ in range(count)]
        return {"targets": [f"/{topic}" for topic in range(count)]}

    async def publish(self, topic: int, number: int, sent_ns: int, order: Order) -> None:
        event = self._encode(number, sent_ns, order.padding_bytes)
        for queue in tuple(self._readers[topic]):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                await queue.put(event)


def serve(app: ASGIApp, topics: Topics[T]) -> None:
    """Serve *app* until standard input ends."""
    uvloop.run(_serve(app, topics))


async def _serve(app: ASGIApp, topics: Topics[T]) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        say({"port": listener.getsockname()[1], "pids": [os.getpid()]})
        await obey(topics)
        os._exit(0)  # an orderly end is no part of this
