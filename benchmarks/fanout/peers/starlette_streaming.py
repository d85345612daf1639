"""Starlette's ``StreamingResponse`` of frames that are encoded once for all readers."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from benchmarks.fanout.frames import frame
from benchmarks.fanout.peers.queues import Topics, serve

topics = Topics(frame)


async def frames(topic: int) -> AsyncIterator[bytes]:
    with topics.reader(topic) as queue:
        while True:
            yield await queue.get()


async def stream(request: Request) -> StreamingResponse:
    return StreamingResponse(
        frames(request.path_params["topic"]),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache"},
    )


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/{topic:int}", stream)]), topics)
