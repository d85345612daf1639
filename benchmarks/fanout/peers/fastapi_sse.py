"""FastAPI's own Server-Sent Events: a path operation that yields ``ServerSentEvent`` objects.

Each is made once for all readers, with its JSON as it is (``raw_data``); FastAPI encodes the frame
for each reader and offers no way around that.
"""

from __future__ import annotations

from collections.abc import AsyncIterable

from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

from benchmarks.fanout.frames import EVENT_NAME, data
from benchmarks.fanout.peers.queues import Topics, serve


def encode(number: int, sent_ns: int, padding_bytes: int) -> ServerSentEvent:
    return ServerSentEvent(
        raw_data=data(number, sent_ns, padding_bytes), event=EVENT_NAME, id=str(number)
    )


topics = Topics(encode)
app = FastAPI()


@app.get("/{topic}", response_class=EventSourceResponse)
async def stream(topic: int) -> AsyncIterable[ServerSentEvent]:
    with topics.reader(topic) as queue:
        while True:
            yield await queue.get()


if __name__ == "__main__":
    serve(app, topics)
