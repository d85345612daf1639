"""What a route is: where it answers, who may use it, and how it is documented."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from flowmaestro.api.errors import STATUS_OF_CODE, ErrorCode

Endpoint = Callable[..., Coroutine[Any, Any, Response]]

ERRORS_OF_EVERY_ROUTE: tuple[ErrorCode, ...] = (
    "invalid_api_key",
    "expired_api_key",
    "revoked_api_key",
    "insufficient_scope",
    "rate_limit_exceeded",
    "internal_error",
    "service_unavailable",
)
"""The error codes that any route with a key may answer with."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one path, below each of the API's prefixes."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    endpoint: Endpoint
    summary: str
    tag: str
    status: int = 200
    model: type[BaseModel] | None = None
    """The documented body of the success."""
    errors: tuple[ErrorCode, ...] = ()
    """Error codes beside :data:`ERRORS_OF_EVERY_ROUTE`."""
    openapi: Mapping[str, Any] = field(default_factory=dict)
    """What the documentation adds: the request body, header parameters."""
    direct: bool = False
    """Whether the endpoint takes the request and the path's parameters, as they are, and nothing
    else: FastAPI's parameters cost more than opening a stream does."""

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """Return the documentation of every answer that the route may give, without the bodies:
        FastAPI would build a validator for each, which the start would wait for."""
        found: dict[int | str, dict[str, Any]] = {self.status: {"description": "Success."}}
        by_status: dict[int, list[str]] = {}
        for code in (*self.errors, *ERRORS_OF_EVERY_ROUTE):
            by_status.setdefault(STATUS_OF_CODE[code], []).append(code)
        for status, codes in sorted(by_status.items()):
            found[status] = {"description": ", ".join(f"`{code}`" for code in codes) + "."}
        return found


class DirectRoute(APIRoute):
    """A route whose endpoint is called with the request and the path's parameters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return handle


def json_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return the documentation of a JSON request body that is *model*."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def definition_body() -> dict[str, Any]:
    """Return the documentation of a request body that is a workflow definition."""
    schema = {"$ref": "#/components/schemas/WorkflowDefinition"}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema}, "application/yaml": {"schema": schema}},
    }


def header_parameter(name: str, description: str, *, pattern: str | None = None) -> dict[str, Any]:
    """Return the documentation of an optional request header; *pattern* is what its value must fit,
    if others are refused."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"} | ({} if pattern is None else {"pattern": pattern}),
    }


def query_parameter(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documentation of an optional query parameter that the route reads itself."""
    found = {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": dict(schema),
    }
    if schema["type"] == "array":  # one value, separated by commas
        found.update(style="form", explode=False)
    return found
