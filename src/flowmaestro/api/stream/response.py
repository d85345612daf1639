"""A stream as an ASGI response."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flowmaestro.api.responses import when_over
from flowmaestro.api.stream.takeover import ABORT_EXTENSION, TAKEOVER_EXTENSION
from flowmaestro.engine.log_context import detached
from flowmaestro.streaming import Hub, Lane, Opening, Outcome, Reader, Topic, View

# `no-transform` and `X-Accel-Buffering` keep proxies (nginx by the latter) from holding the stream
# back to compress it or to fill a buffer. One URL has three representations, hence `Vary`.
STREAM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Vary": "Accept"}
)


class HeadersOnly(Response):
    """The answer to HEAD: the headers of GET where they are known, which a length is not."""

    def __init__(self, *, media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(headers={**headers, "Content-Type": media_type})
        del self.headers["content-length"]


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A stream that may begin: it was asked for by somebody who may, and makes sense."""

    topic: Topic
    """Held by whoever has this."""
    view: View
    opening: Opening
    """Of an owner who has been admitted."""


class StreamResponse(HeadersOnly):
    """A stream, from a cursor to its end.

    Where the server lets go of the connection, it goes to the *lane*, and what is awaited here is
    over when it has begun. Elsewhere it is written as ASGI messages until one of them ends it; a
    client that disconnects is noticed at once, also while nothing is to be sent and while its
    socket is full. The bytes are the same.

    It owns the stream that it is given: the topic is released, and the owner leaves, with it.
    """

    def __init__(self, hub: Hub, lane: Lane, stream: StreamRequest, *, media_type: str) -> None:
        super().__init__(media_type=media_type, headers=STREAM_HEADERS)
        self._hub = hub
        self._lane = lane
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = False
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            taken = self._hand_over(scope)
            if not taken:
                await self._write(scope, receive, send)
        except OSError:
            pass  # how ASGI 2.4 says that the client has gone
        finally:
            self._stream.topic.release()
            if not taken:
                self._hub.admission.leave(self._stream.opening.owner)

    def _hand_over(self, scope: Scope) -> bool:
        takeover = (scope.get("extensions") or {}).get(TAKEOVER_EXTENSION)
        connection = takeover.take() if takeover is not None else None
        if connection is None:
            return False
        stream = self._stream
        view = replace(stream.view, framing=connection.framing)
        # Detached: the lane's timers and reads serve every stream, whoever's request began them.
        detached().run(
            self._lane.open, stream.topic, view, stream.opening, connection, when_over(scope)
        )
        return True

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def write(body: bytes, more: bool) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        topic, view, opening = self._stream.topic, self._stream.view, self._stream.opening
        reader = Reader(self._hub, topic, view, cursor=opening.cursor, owner=opening.owner)
        disconnected = asyncio.ensure_future(wait_disconnected(receive))
        disconnected.add_done_callback(lambda _: reader.stop())
        try:
            outcome = await reader.write_to(write, opening.body)
            abort = (scope.get("extensions") or {}).get(ABORT_EXTENSION)
            if outcome is Outcome.DROPPED and abort is not None:
                abort()
                # A server that finds the response unfinished on a connection it believes to be
                # open reports a fault of the application.
                await asyncio.wait((disconnected,), timeout=1)
        finally:
            reader.close()
            disconnected.cancel()


async def wait_disconnected(receive: Receive) -> None:
    """Return when the client has gone away, or the response is complete."""
    while (await receive())["type"] != "http.disconnect":
        pass
