"""Which web pages may call the API, and which of its headers they may use."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowmaestro.api.errors import ApiError
from flowmaestro.api.responses import failure

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
REQUEST_HEADERS = (
    "Accept",
    "Authorization",
    "Cache-Control",  # browsers' EventSource sends it
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "X-API-Key",
    "X-Request-Id",
)
EXPOSED_HEADERS = (
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Limit-Day",
    "X-RateLimit-Remaining",
    "X-RateLimit-Remaining-Day",
    "X-RateLimit-Reset",
    "X-Request-Id",
)
PREFLIGHT_MAX_AGE_SECONDS = 600


class CorsMiddleware(CORSMiddleware):
    """Starlette's CORS (WHATWG Fetch §3.2), with our error shape for a preflight it refuses.

    No credentials mode: keys travel in headers that a page must set itself, never in cookies, so
    even ``*`` gives no page more than the key it already has.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_MAX_AGE_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                response = self.preflight_response(headers)
                if response.status_code >= 400:
                    response = self._refusal(scope, response)
                await response(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Add the headers to a response, if a page of that origin may read it."""
        origin = request_headers.get("origin")
        told = origin is None or self.is_allowed_origin(origin)
        await super().send(message, send, request_headers if told else Headers())

    def _refusal(self, scope: Scope, response: Response) -> Response:
        reason = bytes(response.body).decode("ascii")
        error = ApiError(
            "validation_error",
            f"{reason}: this server's settings do not allow it.",
            {
                "field": "header.Origin",
                "allowed": {"methods": METHODS, "headers": REQUEST_HEADERS},
            },
            headers={"Vary": response.headers["Vary"]},
        )
        return failure(scope, error)
