"""The outermost layer: every response gets its request's id, every request its log line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowmaestro.api.metrics import RequestMetrics
from flowmaestro.api.responses import REQUEST_ID_KEY, request_id

RESPONSE_HEADERS_KEY = "flowmaestro.response_headers"
"""Where the ASGI scope holds the headers that inner layers want on the response, whatever it is."""
KEY_ID_KEY = "flowmaestro.key_id"
"""Where the ASGI scope holds the id (never the key itself) of the API key that was used."""

access_logger = logging.getLogger("flowmaestro.access")

# What may be echoed into a header and a log line as it came: nothing that could end either.
_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_CLIENT_CLOSED_REQUEST = 499


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
        started = time.perf_counter()
        status = _CLIENT_CLOSED_REQUEST  # unless somebody is there to be answered

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id(scope)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                for name, value in scope[RESPONSE_HEADERS_KEY].items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._finish(scope, status, time.perf_counter() - started)

    @staticmethod
    def _incoming_id(scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _WELL_FORMED_ID.fullmatch(value):
                return bytes(value).decode("ascii")
        return None

    def _finish(self, scope: Scope, status: int, elapsed_seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.observe(scope["method"], route, status, elapsed_seconds)
        if not access_logger.isEnabledFor(logging.INFO):
            return
        fields: dict[str, Any] = {
            "request_id": request_id(scope),
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": round(elapsed_seconds * 1000, 1),
            "client": scope["client"][0] if scope.get("client") else None,
            "key_id": scope.get(KEY_ID_KEY),
        }
        if execution_id := scope.get("path_params", {}).get("execution_id"):
            fields["execution_id"] = execution_id
        access_logger.info("request", extra=fields)
