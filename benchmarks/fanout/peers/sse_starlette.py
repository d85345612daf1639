"""sse-starlette's ``EventSourceResponse``, given frames that are encoded once for all readers.

Bytes pass through it as they are, which costs it less than the objects that it would encode for
each reader.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from benchmarks.fanout.frames import frame
from benchmarks.fanout.peers.queues import Topics, serve

topics = Topics(frame)


async def frames(topic: int) -> AsyncIterator[bytes]:
    with topics.reader(topic) as queue:
        while True:
            yield await queue.get()


async def stream(request: Request) -> EventSourceResponse:
    return EventSourceResponse(frames(request.path_params["topic"]))


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/{topic:int}", stream)]), topics)
