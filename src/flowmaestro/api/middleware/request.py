"""The outermost layer: every response gets its request's id, every request its log line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowmaestro.api.credentials import is_like_credential
from flowmaestro.api.errors import ApiError
from flowmaestro.api.metrics import RequestMetrics
from flowmaestro.api.responses import ERROR_KEY, RECORD_KEY, REQUEST_ID_KEY, request_id
from flowmaestro.api.security_headers import add_security_headers
from flowmaestro.engine.log_context import reset_log_fields, set_log_fields

RESPONSE_HEADERS_KEY = "flowmaestro.response_headers"
"""Where the ASGI scope holds the headers that inner layers want on the response, whatever it is."""
KEY_ID_KEY = "flowmaestro.key_id"
"""Where the ASGI scope holds the id (never the key itself) of the API key that was used."""

EXECUTION_ID_KEY = "flowmaestro.execution_id"
"""Where the ASGI scope holds the id of the execution that the request has started."""

access_logger = logging.getLogger("flowmaestro.access")

# What may be echoed into a header and a log line as it came: nothing that could end either.
_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_CLIENT_CLOSED_REQUEST = 499
_REFUSALS = frozenset({429, 503})
"""Not the caller's mistake: the log says what was used up."""


class RequestRecord:
    """What is logged and counted of a request when it is over.

    That is when the application returns, unless :meth:`keep` was called: a stream may go on
    without it.
    """

    __slots__ = ("_fields", "_kept", "_method", "_metrics", "_route", "_started", "status")

    def __init__(self, metrics: RequestMetrics) -> None:
        self._metrics = metrics
        self._started = time.perf_counter()
        self._kept = False
        self._fields: tuple[Any, ...] = ()
        self._method = ""
        self._route = ""
        self.status = _CLIENT_CLOSED_REQUEST  # unless somebody is there to be answered

    def keep(self, scope: Scope) -> Callable[[], None]:
        """Return what is to be called when the request of *scope* is over: that is not yet when
        the application returns. It holds on to little of the scope."""
        self._kept = True
        self._note(scope)
        return self._finish

    def answered_for(self, scope: Scope, error: ApiError) -> None:
        """The connection itself has told *error*, and the application cannot answer any more."""
        self.status = error.status
        scope[ERROR_KEY] = error

    def returned(self, scope: Scope) -> None:
        """The application has returned."""
        if not self._kept:
            self._note(scope)
            self._finish()

    def _note(self, scope: Scope) -> None:
        self._method = scope["method"]
        self._route = getattr(scope.get("route"), "path", "unmatched")
        self._fields = (
            request_id(scope),
            scope["path"],
            scope["client"][0] if scope.get("client") else None,
            scope.get(KEY_ID_KEY),
            scope.get(EXECUTION_ID_KEY) or scope.get("path_params", {}).get("execution_id"),
            scope.get(ERROR_KEY),
        )

    def _finish(self) -> None:
        elapsed_seconds = time.perf_counter() - self._started
        id_, path, client, key_id, execution_id, error = self._fields
        self._metrics.observe(self._method, self._route, self.status, elapsed_seconds, error)
        if not access_logger.isEnabledFor(logging.INFO):
            return
        fields: dict[str, Any] = {
            "request_id": id_,
            "method": self._method,
            "path": path,
            "status": self.status,
            "duration_ms": round(elapsed_seconds * 1000, 1),
            "client": client,
            "key_id": key_id,
        }
        if execution_id:
            fields["execution_id"] = execution_id
        if error is not None:
            fields["error_code"] = error.code
            if error.status in _REFUSALS:
                fields["reason"] = error.message
        access_logger.info("request", extra=fields)


class RequestMiddleware:
    """Gives each request an id, logs it when it ends, and counts it.

    An ``X-Request-Id`` that comes in is kept when it is 1 to 128 letters, digits or ``._:-``. The
    log has the path without its query string: that is where tickets are.

    Args:
        app: the layer inside.
        new_request_id: makes the id of a request that brought none.
        metrics: counts requests and times them.
    """

    def __init__(
        self, app: ASGIApp, new_request_id: Callable[[], str], metrics: RequestMetrics
    ) -> None:
        self._app = app
        self._new_request_id = new_request_id
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[REQUEST_ID_KEY] = self._incoming_id(scope) or self._new_request_id()
        scope[RESPONSE_HEADERS_KEY] = {}
        record = scope[RECORD_KEY] = RequestRecord(self._metrics)
        token = set_log_fields({"request_id": scope[REQUEST_ID_KEY]})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id(scope)
                for name, value in scope[RESPONSE_HEADERS_KEY].items():
                    headers.setdefault(name, value)
                add_security_headers(headers.raw)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            record.returned(scope)
            reset_log_fields(token)

    @staticmethod
    def _incoming_id(scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _WELL_FORMED_ID.fullmatch(value):
                incoming = bytes(value).decode("ascii")
                return None if is_like_credential(incoming) else incoming
        return None
