"""The envelopes that every answer comes in.

Success is ``{"data", "meta"}``, a page adds ``"pagination"``, failure is ``{"error", "meta"}``;
``meta`` is the request's id and the moment of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Scope

from flowmaestro.api.errors import ApiError
from flowmaestro.events.models import format_timestamp

JSON_MEDIA_TYPE = "application/json"
REQUEST_ID_KEY = "flowmaestro.request_id"
"""Where the ASGI scope holds the request's id."""
RECORD_KEY = "flowmaestro.record"
"""Where the ASGI scope holds what is logged of the request when it is over."""


ERROR_KEY = "flowmaestro.error"
"""Where the ASGI scope holds the error that the request was answered with."""


def request_id(scope: Scope) -> str:
    """Return the id of the request that *scope* belongs to."""
    found = scope.get(REQUEST_ID_KEY)
    return found if isinstance(found, str) else "req_unknown"


def when_over(scope: Scope) -> Callable[[], None]:
    """Return what is to be called when the request of *scope* is over, which it then is not when
    the application returns."""
    record = scope.get(RECORD_KEY)
    return (lambda: None) if record is None else cast(Callable[[], None], record.keep(scope))


def meta(scope: Scope) -> dict[str, str]:
    """Return the ``meta`` object of an answer given now to the request of *scope*."""
    return {"request_id": request_id(scope), "timestamp": format_timestamp(datetime.now(UTC))}


def json_response(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *body* (JSON values, pydantic models and dates anywhere in it) as a response."""
    return Response(to_json(body), status_code=status, headers=headers, media_type=JSON_MEDIA_TYPE)


def success(
    scope: Scope,
    data: Any,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Response:
    """Return *data* in the success envelope; *beside* adds members next to ``data``."""
    body = {"data": data, **(beside or {}), "meta": meta(scope)}
    return json_response(body, status=status, headers=headers)


def failure(scope: Scope, error: ApiError) -> Response:
    """Return *error* in the failure envelope, with its status and headers."""
    scope[ERROR_KEY] = error
    body = {
        "error": {"code": error.code, "message": error.message, "details": error.details},
        "meta": meta(scope),
    }
    # A failure must never be replayed from a cache to the retry that would have succeeded.
    headers = {"Cache-Control": "no-store", **error.headers}
    return json_response(body, status=error.status, headers=headers)
