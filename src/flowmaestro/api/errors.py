"""The API's one error: a code of the table below, a sentence, and details for programs.

Everything that goes wrong while a request is answered becomes an :class:`ApiError` before it leaves
the process: our own layers' errors where they are called, the framework's in
:mod:`flowmaestro.api.failures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

ErrorCode = Literal[
    "cursor_expired",
    "expired_api_key",
    "insufficient_scope",
    "internal_error",
    "invalid_api_key",
    "not_acceptable",
    "payload_too_large",
    "rate_limit_exceeded",
    "resource_not_found",
    "revoked_api_key",
    "service_unavailable",
    "validation_error",
]

STATUS_OF_CODE: Mapping[str, int] = MappingProxyType(
    {
        "validation_error": 400,
        "invalid_api_key": 401,
        "expired_api_key": 401,
        "revoked_api_key": 401,
        "insufficient_scope": 403,
        "resource_not_found": 404,
        "not_acceptable": 406,
        "cursor_expired": 410,
        "payload_too_large": 413,
        "rate_limit_exceeded": 429,
        "internal_error": 500,
        "service_unavailable": 503,
    }
)
"""The HTTP status that goes with each error code."""


class ApiError(Exception):
    """A request that failed, as the caller is told of it.

    Args:
        code: one of :data:`STATUS_OF_CODE`; it decides the status.
        message: one sentence for a person: what was wrong and what is allowed.
        details: the same for a program, JSON values only; empty when there is nothing more to say.
        headers: response headers that belong to the failure (``Retry-After``, ``Allow``, …).
        status: an HTTP status other than the code's own, for the few failures of HTTP itself that
            have one (405 for a method that a path does not have).
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.headers = dict(headers or {})
        self.status = STATUS_OF_CODE[code] if status is None else status


def invalid_field(field: str, message: str, *, allowed: Any = None, **details: Any) -> ApiError:
    """Return the ``validation_error`` of one bad *field* of a request.

    *field* says where (``query.page``, ``body.inputs``, ``header.Last-Event-ID``), *message* what
    was wrong with it and *allowed*, when given, what would have been right.
    """
    found: dict[str, Any] = {"field": field, **details}
    if allowed is not None:
        found["allowed"] = allowed
    return ApiError("validation_error", message, found)


def not_found(kind: str, resource_id: str) -> ApiError:
    """Return the ``resource_not_found`` for the *kind* ("workflow", "execution") named so.

    Also what another workspace's resource gets: its existence is none of the caller's business.
    """
    return ApiError(
        "resource_not_found",
        f"There is no {kind} {_shortened(resource_id)!r} in this key's workspace.",
        {"resource": kind, "id": _shortened(resource_id)},
    )


def unavailable(message: str, *, retry_after_seconds: int = 5) -> ApiError:
    """Return ``service_unavailable`` with the ``Retry-After`` that clients wait by."""
    return ApiError(
        "service_unavailable",
        message,
        {"retry_after_seconds": retry_after_seconds},
        headers={"Retry-After": str(retry_after_seconds)},
    )


def _shortened(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
