"""What a route is: where it answers, who may use it, and how it is documented."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from flowmaestro.api.errors import STATUS_OF_CODE, ErrorCode, invalid_field
from flowmaestro.api.keys import Scope

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
    scopes: tuple[Scope, ...]
    """What a key needs for it; the documentation says the same."""
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


class ScopedRoute(APIRoute):
    """A route that knows the scopes it demands."""

    required_scopes: tuple[Scope, ...] | None = None

    @cached_property
    def query_parameters(self) -> Mapping[str, bool]:
        """The query parameters that are documented, and whether each may be given again."""
        found = {parameter.alias: False for parameter in self.dependant.query_params}
        for parameter in (self.openapi_extra or {}).get("parameters", ()):
            if parameter["in"] == "query":
                found[parameter["name"]] = parameter["schema"]["type"] == "array"
        return found


class DirectRoute(ScopedRoute):
    """A route whose endpoint is called with the request and the path's parameters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return handle


def required_scopes(request: Request) -> tuple[Scope, ...]:
    """Return the scopes that the route of *request* demands, from the table of routes."""
    route = request.scope["route"]
    assert isinstance(route, ScopedRoute)
    if not route.required_scopes:  # a route that is in no table must not be open to every key
        raise RuntimeError(f"{route.path} demands no scopes")
    return route.required_scopes


def require_known_parameters(request: Request) -> None:
    """Check the names in the query of *request* against those that its route has.

    A misspelled filter that was ignored would answer with more than was asked for, and a misspelled
    cursor with everything again.

    Raises:
        ApiError: ``validation_error``: one that there is not, or one given twice.
    """
    route = request.scope["route"]
    assert isinstance(route, ScopedRoute)
    known = route.query_parameters
    given: set[str] = set()
    for name, _ in request.query_params.multi_items():
        shown = f"query.{name[:100]}"
        if name not in known:
            allowed = sorted(known)
            there = f"there are {', '.join(allowed)}" if allowed else "it takes none"
            message = f"There is no query parameter {name[:100]!r} here; {there}."
            raise invalid_field(shown, message, allowed=allowed)
        if name in given and not known[name]:
            raise invalid_field(shown, f"`{name}` is given more than once.")
        given.add(name)


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
