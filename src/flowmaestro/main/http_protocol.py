"""uvicorn's HTTP protocol with the edges it leaves open closed.

* The head of a request has a size and a time: uvicorn's own grows, and waits, without end.
* What is no HTTP gets the API's error shape, as everything else does.
"""

from __future__ import annotations

import asyncio

from starlette.types import Scope

from flowmaestro.api.errors import ApiError
from flowmaestro.api.responses import REQUEST_ID_KEY, failure
from flowmaestro.api.stream.protocol import StreamingHttpProtocol
from flowmaestro.storage import IdGenerator

MAX_HEAD_BYTES = 64 * 1024
"""The longest request line and headers together."""
MAX_HEADERS = 200
HEAD_TIMEOUT_SECONDS = 30.0
"""How long a connection may take to send a request's head."""


class HeadTooLarge(Exception):
    """The request's line and headers are more than we hold in memory for anyone."""


class UnknownVersion(Exception):
    """The request is of HTTP/0.9, whose clients take a response's head for its body."""


class HttpProtocol(StreamingHttpProtocol):
    """One connection. uvicorn makes one for each; it is a parser's callbacks and their state."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self._give_up)

    def connection_resumed(self, transport: asyncio.Transport, early: bytes) -> None:
        super().connection_resumed(transport, early)
        if not early:
            self._stop_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        if self._head_timer is None:  # a further request on a connection that is kept alive
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self._give_up)

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_head_timer()
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise UnknownVersion  # as below
        super().on_headers_complete()

    def refuse(self, message: str) -> None:
        """Answer what is no request, or too large a one, and close the connection."""
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers or ()) > MAX_HEADERS:
            message = f"The request's head is over {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} headers."
        scope: Scope = {"type": "http", REQUEST_ID_KEY: IdGenerator().new_id("req")}
        response = failure(scope, ApiError("validation_error", message, {"field": "request"}))
        response.headers["X-Request-Id"] = scope[REQUEST_ID_KEY]
        response.headers["Connection"] = "close"
        head = [*self.server_state.default_headers, *response.raw_headers]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in head)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\n" + lines + b"\r\n" + bytes(response.body)
        )
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who offers another protocol is answered in this one (RFC 9110 §7.8), and
        uvicorn's advice to install one would be wrong."""

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            raise HeadTooLarge  # out through the parser, which has no other way to stop

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
