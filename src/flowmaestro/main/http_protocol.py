"""uvicorn's HTTP protocol with the edges it leaves open closed.

* A request's head has a size and a time, its body a time: uvicorn waits for them without end.
* Connections have a number. One too many takes the place of the one that has waited longest for a
  request, so that whoever opens many and says nothing keeps nobody out.
* What is no HTTP gets the API's error shape, as everything else does.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, cast

from starlette.types import Scope

from flowmaestro.api.errors import ApiError, unavailable
from flowmaestro.api.middleware.request import access_logger
from flowmaestro.api.responses import RECORD_KEY, REQUEST_ID_KEY
from flowmaestro.api.stream.protocol import StreamingHttpProtocol
from flowmaestro.main.http_limits import (
    LINGER_SECONDS,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_URL_BYTES,
    MIN_BODY_BYTES_PER_SECOND,
    ConnectionLimits,
    bad_request,
    last_response,
    new_request_id,
    too_large,
    too_slow,
)

# uvicorn's own warning of what is no request says neither whose it was nor what was answered.
_errors_only = logging.getLogger("uvicorn.error.http")
_errors_only.setLevel(logging.ERROR)


class HeadTooLarge(Exception):
    """The request's line and headers are more than we hold in memory for anyone."""


class UnknownVersion(Exception):
    """The request is of HTTP/0.9, whose clients take a response's head for its body."""


class HttpProtocol(StreamingHttpProtocol):
    """One connection. uvicorn makes one for each; it is a parser's callbacks and their state.

    Use :func:`http_protocol`, which gives a server's connections what they share.
    """

    limits = ConnectionLimits()
    waiting: dict[HttpProtocol, None]
    """The connections on which no request is being answered, the longest first."""

    _resumed = False
    _refused = False
    """Whether it was told that what it sent is no request; what it still sends is passed over."""
    _heard = False
    _unheard_bytes = 0
    _too_large: HTTPStatus | None = None
    _head_bytes = 0
    _url_bytes = 0
    _head_began = False
    _head_timer: asyncio.TimerHandle | None = None
    _body_pending = False
    _body_bytes = 0
    _body_began = 0.0
    _body_timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = _errors_only

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()
        limit = self.limits.max_connections
        over = limit is not None and len(self.connections) > limit and not self._resumed
        if over and not self._make_room():
            self._answer(
                unavailable("The server has as many connections as it can.", retry_after_seconds=1)
            )
        else:
            self.waiting[self] = None

    def connection_resumed(self, transport: asyncio.Transport, early: bytes) -> None:
        self._resumed = True
        super().connection_resumed(transport, early)
        if not early:
            self._stop_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self._stop_head_timer()
        self._stop_body_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._heard = False
        super().data_received(data)
        # The parser keeps a header to itself until its line has ended, however long that is.
        self._unheard_bytes = 0 if self._heard else self._unheard_bytes + len(data)
        if self._unheard_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.send_400_response("")
        # Most bodies come with their heads, and need no timer.
        if self._body_pending and self._body_timer is None and not self.transport.is_closing():
            self._body_began = self.loop.time()
            self._start_body_timer(self.limits.request_timeout_seconds)
        # What came was no request: empty lines, or the rest of a body whose request had its answer.
        if self._rests and self._head_timer is None and self.timeout_keep_alive_task is None:
            self.waiting[self] = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._heard = True
        self._head_bytes = self._url_bytes = 0
        self._head_began = True
        if self._head_timer is None:  # a further request on a connection that is kept alive
            self._start_head_timer()

    def on_url(self, url: bytes) -> None:
        self._heard = True
        self._url_bytes += len(url)
        if self._url_bytes > MAX_URL_BYTES:
            self._refuse_head(HTTPStatus.REQUEST_URI_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._heard = True
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._refuse_head(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.waiting.pop(self, None)
        self._head_began = False
        self._stop_head_timer()
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise UnknownVersion  # as below
        self._body_pending = True
        self._body_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._heard = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_pending = False
        self._stop_body_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.cycle.response_complete and self._body_pending:
            # It was answered before its body was there: nothing can follow on this connection
            # until the rest has come, and that is worth no more than a moment.
            self._stop_body_timer()
            self._start_body_timer(LINGER_SECONDS)
        elif self.cycle.response_complete:
            self.waiting[self] = None

    def refuse(self, message: str) -> None:
        """Answer what is no request, or too large a one, and close the connection."""
        error = bad_request(message) if self._too_large is None else too_large(self._too_large)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or not self.transport.can_write_eof():
            self._answer(error)  # nothing may be written after it
            return
        # Closed at once, what is still arriving would be answered with a reset, which may reach
        # the peer before it has read why (RFC 9112 §9.6).
        self._refused = True
        self._tell(error)
        self.transport.write_eof()
        self._stop_head_timer()
        self._stop_body_timer()
        self._head_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who offers another protocol is answered in this one (RFC 9110 §7.8), and
        uvicorn's advice to install one would be wrong."""

    def _answer(self, error: ApiError) -> None:
        self._tell(error)
        self.transport.close()

    @property
    def _rests(self) -> bool:
        """Whether the connection is open, and no request is arriving or being answered."""
        answered = self.cycle is None or self.cycle.response_complete
        arrived = not self._head_began and not self._body_pending
        return answered and arrived and not self.transport.is_closing()

    def _tell(self, error: ApiError) -> None:
        """Write and log *error* of what has come to be no request, which nobody else logs."""
        request_id = new_request_id()
        fields = {
            "request_id": request_id,
            "status": error.status,
            "client": self.client[0] if self.client else None,
            "error_code": error.code,
            "reason": error.message,
        }
        access_logger.info("no request", extra=fields)
        self._write_last(error, request_id)

    def _write_last(self, error: ApiError, request_id: str) -> None:
        self.transport.write(last_response(error, request_id, self.server_state.default_headers))

    def _make_room(self) -> bool:
        for oldest in self.waiting:
            del self.waiting[oldest]
            oldest.transport.abort()
            return True
        return False

    def _refuse_head(self, status: HTTPStatus) -> None:
        self._too_large = status
        raise HeadTooLarge  # out through the parser, which has no other way to stop

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(
            self.limits.request_timeout_seconds, self._give_up_head
        )

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # we are the slow ones: it may have been there for long
            self._start_head_timer()
        elif self._head_began and (self.cycle is None or self.cycle.response_complete):
            self._answer(too_slow("head"))
        else:  # nothing was asked
            self.transport.close()

    def _start_body_timer(self, seconds: float) -> None:
        self._body_timer = self.loop.call_later(seconds, self._check_body)

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _check_body(self) -> None:
        """Close the connection of a body that arrives too slowly, or after its answer."""
        self._body_timer = None
        if self.transport.is_closing() or self.cycle is None:
            return
        cycle, timeout = self.cycle, self.limits.request_timeout_seconds
        if cycle.response_complete:
            self.transport.close()
            return
        if self.flow.read_paused:  # we are the slow ones: its time begins anew
            self._body_began, self._body_bytes = self.loop.time(), 0
        allowed = timeout + self._body_bytes / MIN_BODY_BYTES_PER_SECOND
        left = allowed - (self.loop.time() - self._body_began)
        if left > 0:
            self._start_body_timer(left)
            return
        started = cycle.response_started
        # Whoever reads it is told that the client has gone, and can answer no more.
        cycle.disconnected = True
        cycle.message_event.set()
        if started:
            self.transport.close()
            return
        error, scope = too_slow("body"), cast(Scope, cycle.scope)
        if (record := scope.get(RECORD_KEY)) is not None:
            record.answered_for(scope, error)
        self._write_last(error, scope.get(REQUEST_ID_KEY) or new_request_id())
        self.transport.close()


def http_protocol(limits: ConnectionLimits) -> type[HttpProtocol]:
    """Return the protocol of one server's connections, for uvicorn's ``http=``."""
    return type("HttpProtocol", (HttpProtocol,), {"limits": limits, "waiting": {}})
