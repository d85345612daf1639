"""The OpenAPI description: what FastAPI derives from the routes, and what it cannot know: the
stream's formats and events, the definition's schema, the headers, the links, and the security
schemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

import flowmaestro
from flowmaestro.api.auth import TICKET_PARAMETER
from flowmaestro.api.openapi_links import links_of
from flowmaestro.api.routes.table import Route
from flowmaestro.api.routes.workflows import WORKFLOW_ID_PATTERN
from flowmaestro.api.schemas import Envelope, ErrorEnvelope, HealthView, Meta
from flowmaestro.events import Connected, LoggedEvent
from flowmaestro.workflow import Definition, Limits

_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "Run workflows and watch every execution live. Everything under /api/v1 also answers under /v1."
)
_STREAM_PATH = "/executions/{execution_id}/events"
_RATE_LIMIT_HEADERS = {
    "X-RateLimit-Limit": "Requests this key may make a minute.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When the minute ends, in seconds since the epoch.",
    "X-RateLimit-Limit-Day": "Requests this key may make a day, if that is limited.",
    "X-RateLimit-Remaining-Day": "How many of them are left.",
}


def describe(app: FastAPI, routes: Sequence[Route], prefix: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *app*, whose *routes* are documented below *prefix*."""
    document = get_openapi(
        title="FlowMaestro",
        version=flowmaestro.__version__,
        description=_DESCRIPTION,
        routes=app.routes,
    )
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    # FastAPI's own shape of a bad parameter: ours is documented with each route.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas.update(_add_bodies(document, routes, prefix))
    schemas.update(_event_schemas())
    schemas.update(_definition_schemas())
    for path, responses in _operations_responses().items():
        if path in document["paths"]:
            document["paths"][path]["get"]["responses"] = responses
    components["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "Bearer": {"type": "http", "scheme": "bearer"},
        "Ticket": {
            "type": "apiKey",
            "in": "query",
            "name": TICKET_PARAMETER,
            "description": "What POST /executions/{execution_id}/tickets gives.",
        },
    }
    components["headers"] = _header_components()
    scopes = {(prefix + route.path, route.method.lower()): route.scopes for route in routes}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(path, operation, scopes.get((path, method), ()))
    return document


def _complete(path: str, operation: dict[str, Any], scopes: Sequence[str]) -> None:
    # The roles of a requirement (OpenAPI 3.1 §4.8.30): what a key of either scheme must have.
    keyed = bool(scopes)
    operation["security"] = [{name: [*scopes]} for name in ("ApiKey", "Bearer")] if keyed else []
    if path.endswith(_STREAM_PATH):
        operation["security"].append({"Ticket": []})
        operation["responses"].update(_stream_responses())
    for status, links in links_of(operation["operationId"]).items():
        operation["responses"][status]["links"] = links
    for status, response in operation["responses"].items():
        headers = response.setdefault("headers", {})
        headers["X-Request-Id"] = {"$ref": "#/components/headers/X-Request-Id"}
        if keyed and status != "401":
            for name in _RATE_LIMIT_HEADERS:
                headers[name] = {"$ref": f"#/components/headers/{name}"}
        if status in ("429", "503"):
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        if status == "401":
            headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}


def _add_bodies(document: dict[str, Any], routes: Sequence[Route], prefix: str) -> dict[str, Any]:
    """Put the models of answers into *document*, and return their schemas."""
    models: set[type[BaseModel]] = {ErrorEnvelope, Envelope[HealthView]}
    models.update(route.model for route in routes if route.model is not None)
    references, top = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template=_REF,
    )
    for route in routes:
        operation = document["paths"][prefix + route.path][route.method.lower()]
        for status, response in operation["responses"].items():
            model = route.model if int(status) == route.status else ErrorEnvelope
            if model is not None:
                schema = references[model, "serialization"]
                response["content"] = {"application/json": {"schema": schema}}
            else:
                response.pop("content", None)
    return dict(top["$defs"])


def _header_components() -> dict[str, Any]:
    described = {
        "X-Request-Id": "The request's id: the one it came with, or a new one.",
        "Retry-After": "Seconds to wait before trying again.",
        "WWW-Authenticate": "How to authenticate.",
        **_RATE_LIMIT_HEADERS,
    }
    integers = {"Retry-After", *_RATE_LIMIT_HEADERS}
    return {
        name: {
            "description": description,
            "schema": {"type": "integer" if name in integers else "string"},
        }
        for name, description in described.items()
    }


def _event_schemas() -> dict[str, Any]:
    models = (*get_args(LoggedEvent), Connected)
    _, top = models_json_schema([(model, "serialization") for model in models], ref_template=_REF)
    schemas: dict[str, Any] = dict(top["$defs"])
    for model in models:
        # What has a default is sent as well.
        schemas[model.__name__]["required"] = [
            name
            for name, field in model.model_fields.items()
            if not field.exclude and field.exclude_if is None
        ]
    references = {
        model.model_fields["type"].default: _REF.format(model=model.__name__) for model in models
    }
    schemas["StreamEvent"] = {
        "description": "One event. In SSE its number is the frame's id; `connected` has none.",
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }
    logged = [reference for kind, reference in references.items() if kind != "connected"]
    schemas["EventPage"] = {
        "type": "object",
        "required": ["data", "next_cursor", "done", "meta"],
        "properties": {
            "data": {"type": "array", "items": {"oneOf": [{"$ref": found} for found in logged]}},
            "next_cursor": {"type": "integer", "description": "Where the next page begins."},
            "done": {
                "type": "boolean",
                "description": "Whether the page reaches the terminal event: nothing follows.",
            },
            "meta": {"$ref": _REF.format(model=Meta.__name__)},
        },
    }
    return schemas


def _definition_schemas() -> dict[str, Any]:
    schema = TypeAdapter(Definition).json_schema(ref_template=_REF, by_alias=False)
    schemas: dict[str, Any] = schema.pop("$defs", {})
    properties = schema["properties"]
    properties["id"] = {
        "type": "string",
        "pattern": f"^{WORKFLOW_ID_PATTERN}$",
        "description": "The workflow's id, if the caller wants to choose it.",
    }
    # What is optional in a loop's body, and what is checked beside the model.
    limits = Limits()
    del properties["name"]["default"]
    properties["name"].update(minLength=1, maxLength=limits.max_name_length, pattern=r"\S")
    properties["nodes"].update(minProperties=1, maxProperties=limits.max_nodes)
    properties["edges"]["maxItems"] = limits.max_edges
    schema["required"] = ["name", "nodes"]
    schemas["WorkflowDefinition"] = schema
    return schemas


def _operations_responses() -> dict[str, dict[str, Any]]:
    health = {"application/json": {"schema": {"$ref": _REF.format(model="Envelope_HealthView_")}}}
    error = {"application/json": {"schema": {"$ref": _REF.format(model=ErrorEnvelope.__name__)}}}

    def success(content: dict[str, Any]) -> dict[str, Any]:
        return {"200": {"description": "Success.", "content": content}}

    return {
        "/healthz": success(health),
        "/readyz": success(health)
        | {"503": {"description": "`service_unavailable`.", "content": error}},
        "/metrics": success({"text/plain": {"schema": {"type": "string"}}}),
        "/openapi.json": success({"application/json": {"schema": {"type": "object"}}}),
        "/docs": success({"text/html": {"schema": {"type": "string"}}}),
    }


def _stream_responses() -> dict[str, Any]:
    event = {"$ref": _REF.format(model="StreamEvent")}
    return {
        "200": {
            "description": "The events after the cursor, oldest first; then, while the execution "
            "runs, each as it happens. `Accept` chooses the format.",
            "headers": {
                "Cache-Control": {
                    "description": "The first for a stream, the second for a page.",
                    "schema": {"enum": ["no-cache, no-transform", "no-store"]},
                },
                "X-Accel-Buffering": {
                    "description": "Of a stream.",
                    "schema": {"const": "no"},
                },
            },
            "content": {
                "text/event-stream": {
                    "schema": {
                        "type": "string",
                        "description": "Frames of `id`, `event` and `data`; each `data` is one "
                        "event as JSON.",
                        "contentMediaType": "application/json",
                        "contentSchema": event,
                    },
                    "example": 'id: 1\nevent: execution:started\ndata: {"type": '
                    '"execution:started", …}\n\n',
                },
                "application/x-ndjson": {
                    "schema": {
                        "type": "string",
                        "description": "One event as JSON on each line.",
                        "contentMediaType": "application/json",
                        "contentSchema": event,
                    }
                },
                "application/json": {"schema": {"$ref": _REF.format(model="EventPage")}},
            },
        },
        "204": {"description": "The cursor is at the log's end: nothing will ever follow."},
    }
