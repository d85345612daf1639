"""How large a request's body may be, and all those together that are in memory at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowmaestro.api.errors import ApiError
from flowmaestro.api.responses import failure

SMALL_BODY_BYTES = 64 * 1024
"""So much of each body is not counted: the number of requests bounds it."""
RETRY_AFTER_SECONDS = 2
LINGER_SECONDS = 3.0
"""How long a refused body may go on arriving, unread, before its connection is closed."""


class PayloadTooLarge(ApiError):
    """A body beyond the limit; the rest of it was not read."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            "payload_too_large",
            f"The request body is larger than this server takes ({limit_bytes} bytes).",
            {"limit_bytes": limit_bytes},
        )


class TooManyLargeBodies(ApiError):
    """Large bodies take as much memory as they may, all together."""

    def __init__(self) -> None:
        super().__init__(
            "service_unavailable",
            "The server is taking as many large request bodies as it has room for.",
            {"retry_after_seconds": RETRY_AFTER_SECONDS},
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


class BodyLimitMiddleware:
    """Answers 413 to a body larger than *max_body_bytes*, before the rest of it has come.

    A ``Content-Length`` beyond the limit is refused before a byte is read; a chunked body when it
    passes the limit, where the route reads it.

    Large bodies also share *max_large_bodies_bytes* while their requests are under way: one that
    would go over that is answered 503. The small ones, which are most, always have room.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, max_large_bodies_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_large_bodies_bytes = max_large_bodies_bytes
        self._large_bodies_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._announced_bytes(scope) > self._max_body_bytes:
            await self._refuse(scope, receive, send, PayloadTooLarge(self._max_body_bytes))
            return
        received_bytes = counted_bytes = 0
        responded = False

        async def limited_receive() -> Message:
            nonlocal received_bytes, counted_bytes
            message = await receive()
            if message["type"] == "http.request":
                received_bytes += len(message.get("body", b""))
                if received_bytes > self._max_body_bytes:
                    raise PayloadTooLarge(self._max_body_bytes)
                if received_bytes > SMALL_BODY_BYTES:
                    more_bytes = received_bytes - counted_bytes
                    if self._large_bodies_bytes + more_bytes > self._max_large_bodies_bytes:
                        raise TooManyLargeBodies
                    self._large_bodies_bytes += more_bytes
                    counted_bytes = received_bytes
            return message

        async def noting_send(message: Message) -> None:
            nonlocal responded
            responded = True
            await send(message)

        try:
            await self._app(scope, limited_receive, noting_send)
        except (PayloadTooLarge, TooManyLargeBodies) as error:
            if responded:
                raise
            self._large_bodies_bytes -= counted_bytes
            counted_bytes = 0
            await self._refuse(scope, receive, send, error)
        finally:
            self._large_bodies_bytes -= counted_bytes

    @staticmethod
    def _announced_bytes(scope: Scope) -> int:
        value = Headers(scope=scope).get("content-length", "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else 0

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, error: ApiError) -> None:
        response = failure(scope, error)
        response.headers["Connection"] = "close"
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        # The whole answer is out. Closing at once, with bytes of the body still unread, would make
        # the kernel reset the connection and the client lose the answer (RFC 9112 §9.6): go on
        # throwing away what arrives for a moment, unless the client waits to be asked for it.
        if Headers(scope=scope).get("expect", "").lower() != "100-continue":
            await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Callable[[], Awaitable[Message]]) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
