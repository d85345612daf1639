"""What a peer may take of the server before it has shown any key, and what it is told then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from starlette.types import Scope

from flowmaestro.api.errors import ApiError
from flowmaestro.api.responses import REQUEST_ID_KEY, failure
from flowmaestro.api.security_headers import add_security_headers
from flowmaestro.storage import IdGenerator

MAX_HEAD_BYTES = 64 * 1024
"""The longest that the headers may be together."""
MAX_HEADERS = 200
MAX_URL_BYTES = 16 * 1024
MIN_BODY_BYTES_PER_SECOND = 1024
"""A body that arrives at this pace may take as long as it needs."""
LINGER_SECONDS = 3.0
"""How long the rest of a body may go on arriving, unread, after its request has been answered."""
_TOO_LARGE = {
    HTTPStatus.REQUEST_URI_TOO_LONG: f"The request's address is over {MAX_URL_BYTES} bytes.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The request's head is over {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} headers."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """Those of them that an operator sets."""

    request_timeout_seconds: float = 30.0
    """How long a request's head may take to arrive, and how long its body when it is slower than
    :data:`MIN_BODY_BYTES_PER_SECOND`."""
    max_connections: int | None = None
    """The most connections that are open, those of streams among them; ``None`` is no limit."""


def bad_request(message: str) -> ApiError:
    """Return the error of what is no request."""
    return ApiError("validation_error", message, {"field": "request"})


def too_large(status: HTTPStatus) -> ApiError:
    """Return the error of a head beyond a limit: 414 for its address, 431 for its headers."""
    return ApiError(
        "validation_error", _TOO_LARGE[status], {"field": "request"}, status=status.value
    )


def too_slow(part: Literal["head", "body"]) -> ApiError:
    """Return the error of a request of which *part* was not there in time (RFC 9110 §15.5.9)."""
    return ApiError(
        "validation_error",
        f"The request's {part} took too long to arrive.",
        {"field": "request" if part == "head" else "body"},
        status=HTTPStatus.REQUEST_TIMEOUT.value,
    )


def new_request_id() -> str:
    """Return the id of what never came to be a request."""
    return IdGenerator().new_id("req")


def last_response(
    error: ApiError, request_id: str, more_headers: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    """Return the bytes that tell *error* on a connection that is then closed."""
    scope: Scope = {"type": "http", REQUEST_ID_KEY: request_id}
    response = failure(scope, error)
    response.headers["X-Request-Id"] = request_id
    response.headers["Connection"] = "close"
    add_security_headers(response.headers.raw)
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in (*more_headers, *response.headers.raw)]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
