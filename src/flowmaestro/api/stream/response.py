"""A stream as an ASGI response."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flowmaestro.streaming import Outcome, Reader

ABORT_EXTENSION: Final = "flowmaestro.abort"
"""An extension of the ASGI scope: a function of no arguments that ends the connection at once,
without waiting for its peer to take what is buffered."""

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


class StreamResponse(HeadersOnly):
    """Writes what an opened reader reads, as ASGI messages, until one of them ends it.

    It owns the reader: whatever happens, the reader is closed when the response is over. A client
    that disconnects is noticed at once, also while nothing is to be sent and while its socket is
    full.
    """

    def __init__(self, reader: Reader, opening: bytes, *, media_type: str) -> None:
        super().__init__(media_type=media_type, headers=STREAM_HEADERS)
        self._reader = reader
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def write(body: bytes, more: bool) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        reader = self._reader
        disconnected = asyncio.ensure_future(wait_disconnected(receive))
        disconnected.add_done_callback(lambda _: reader.stop())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            outcome = await reader.write_to(write, self._opening)
            abort = (scope.get("extensions") or {}).get(ABORT_EXTENSION)
            if outcome is Outcome.DROPPED and abort is not None:
                abort()
                # A server that finds the response unfinished on a connection it believes to be
                # open reports a fault of the application.
                await asyncio.wait((disconnected,), timeout=1)
        except OSError:
            pass  # how ASGI 2.4 says that the client has gone
        finally:
            reader.close()
            disconnected.cancel()


async def wait_disconnected(receive: Receive) -> None:
    """Return when the client has gone away, or the response is complete."""
    while (await receive())["type"] != "http.disconnect":
        pass
