"""From every exception to the one error shape: ours by their types, the framework's by status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from flowmaestro.api.errors import ApiError, ErrorCode, invalid_field, not_found, unavailable
from flowmaestro.api.responses import failure
from flowmaestro.engine.errors import (
    AlreadyEnded,
    EngineBusy,
    EngineOverloaded,
    EngineStopping,
    InvalidInputs,
    UncallableWorkflow,
)
from flowmaestro.storage import (
    CursorExpired,
    IdempotencyMismatch,
    StorageUnavailable,
    UnknownExecution,
    UnknownWorkflow,
    WorkflowExists,
)
from flowmaestro.streaming import HubClosed
from flowmaestro.workflow import InvalidDefinition, Problem


def translate(error: Exception) -> ApiError:
    """Return what the caller is told of *error*.

    What is foreseen by nobody becomes ``internal_error`` with no word of what it was: the caller
    gets the request's id, the log has the rest.
    """
    if isinstance(error, ApiError):
        return error
    for kind, to_api_error in _TRANSLATIONS.items():
        if isinstance(error, kind):
            return to_api_error(error)
    return ApiError(
        "internal_error", "The server failed to answer; its log says why, under this request id."
    )


def invalid_definition(problems: Sequence[Problem]) -> ApiError:
    """Return the ``validation_error`` of a definition with all its *problems*."""
    return _with_problems("The definition is not valid", problems)


def invalid_values(errors: Sequence[Mapping[str, Any]], where: str | None = None) -> ApiError:
    """Return the ``validation_error`` for pydantic's *errors*.

    *where* is the part of the request they are in (``body``); errors of FastAPI's parameters say
    it themselves, in the first element of their location.
    """
    problems = []
    for found in errors:
        location = [str(part) for part in found["loc"]]
        path = ".".join(location if where is None else [where, *location])
        problem = {"path": path, "message": _sentence(found), "code": str(found["type"])}
        problems.append(problem)
    first = problems[0]
    return ApiError(
        "validation_error",
        f"{first['path']}: {first['message']}",
        {"field": first["path"], "problems": problems},
    )


def http_failure(request: Request, error: HTTPException) -> Response:
    """Return the framework's *error* (no such path, no such method) in our shape."""
    if error.status_code == 404:
        message = (
            f"There is nothing at {request.scope['path']!r}; see /openapi.json for what there is."
        )
        return failure(request.scope, ApiError("resource_not_found", message[:500]))
    if error.status_code == 405:
        return _method_not_allowed(request)
    code: ErrorCode = "internal_error" if error.status_code >= 500 else "validation_error"
    answer = ApiError(code, str(error.detail), headers=error.headers, status=error.status_code)
    return failure(request.scope, answer)


def _method_not_allowed(request: Request) -> Response:
    # The router names the methods of the first route that fits the path; a path has several.
    allowed: set[str] = {"OPTIONS"}
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            allowed |= getattr(route, "methods", None) or set()
    allow = ", ".join(sorted(allowed))
    if request.method == "OPTIONS":  # RFC 9110 §9.3.7
        return Response(status_code=204, headers={"Allow": allow})
    error = ApiError(
        "validation_error",
        f"{request.scope['path'][:200]} does not answer {request.method[:20]}; it answers {allow}.",
        {"field": "method", "allowed": sorted(allowed)},
        headers={"Allow": allow},
        status=405,
    )
    return failure(request.scope, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """The application's handler of Starlette's exceptions."""
    assert isinstance(error, HTTPException)
    return http_failure(request, error)


async def on_invalid_parameters(request: Request, error: Exception) -> Response:
    """The application's handler of query and path parameters that do not fit."""
    assert isinstance(error, RequestValidationError)
    return failure(request.scope, invalid_values(error.errors()))


def _with_problems(what: str, problems: Sequence[Problem]) -> ApiError:
    first = problems[0]
    where = f"{first.path}: " if first.path else ""
    more = f" ({len(problems) - 1} more in details.problems)" if len(problems) > 1 else ""
    return ApiError(
        "validation_error",
        f"{what}: {where}{first.message}{more}",
        {
            "problems": [
                {"path": problem.path, "message": problem.message, "code": problem.code}
                for problem in problems
            ]
        },
    )


def _sentence(found: Mapping[str, Any]) -> str:
    if found["type"] == "extra_forbidden":
        return "There is no such field."
    if found["type"] == "missing":
        return "This field is required."
    if found["type"] == "dict_type":  # as JSON calls it
        return "Input should be an object."
    message = str(found["msg"])
    return message if message.endswith(".") else message + "."


def _of_cursor(error: Any) -> ApiError:
    return ApiError(
        "cursor_expired",
        f"{error} Start again from number {error.trimmed_through}, knowing that the events before "
        "it are gone.",
        {"oldest_available": error.trimmed_through + 1, "trimmed_through": error.trimmed_through},
    )


_TRANSLATIONS: Mapping[type[Exception], Callable[[Any], ApiError]] = MappingProxyType(
    {
        StorageUnavailable: lambda error: unavailable(str(error)),
        UnknownExecution: lambda error: not_found("execution", error.execution_id),
        UnknownWorkflow: lambda error: not_found("workflow", error.workflow_id),
        WorkflowExists: lambda error: invalid_field("body.id", str(error)),
        IdempotencyMismatch: lambda error: invalid_field("header.Idempotency-Key", str(error)),
        CursorExpired: _of_cursor,
        InvalidDefinition: lambda error: invalid_definition(error.problems),
        InvalidInputs: lambda error: _with_problems("The inputs do not fit", error.problems),
        UncallableWorkflow: lambda error: invalid_field("path.workflow_id", str(error)),
        AlreadyEnded: lambda error: invalid_field("path.execution_id", str(error)),
        EngineBusy: lambda error: unavailable(str(error)),
        EngineOverloaded: lambda error: unavailable(
            str(error), retry_after_seconds=error.retry_after_seconds
        ),
        EngineStopping: lambda error: unavailable(str(error)),
        HubClosed: lambda error: unavailable(str(error)),
    }
)
