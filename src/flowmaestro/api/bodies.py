"""Request bodies: which format they are in, and the typed values they must be."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from flowmaestro.api.errors import ApiError, invalid_field
from flowmaestro.api.failures import invalid_values
from flowmaestro.api.strict_json import InvalidJson, parse_json
from flowmaestro.workflow import parse_document

Format = Literal["json", "yaml"]
Body = TypeVar("Body", bound=BaseModel)

YAML_MEDIA_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_JSON_ONLY = ("application/json",)
_LARGE_BODY_BYTES = 64 * 1024


async def read_model(request: Request, model: type[Body]) -> Body:
    """Return the JSON body of *request* as *model*; no body at all is ``{}``.

    Raises:
        ApiError: ``validation_error`` naming the field, or ``payload_too_large``.
    """
    body_format(request, allowed=_JSON_ONLY)
    data = await request.body()
    value = await _read_json(data) if data.strip() else {}
    if not isinstance(value, dict):
        raise invalid_field("body", f"The body must be a JSON object, not {json_kind(value)}.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid_values(error.errors(include_url=False), "body") from error


async def read_document(request: Request) -> Any:
    """Return the workflow definition in the body of *request*, JSON or YAML, as plain values.

    Raises:
        ApiError: ``validation_error``: it is in another format; or ``payload_too_large``.
        InvalidDefinition: it cannot be read; the problem says the line and column.
    """
    format_ = body_format(request)
    data = await request.body()
    # Outside the event loop's thread: a large one takes long enough to be felt, YAML above all.
    return await asyncio.to_thread(parse_document, data, format_)


async def _read_json(data: bytes) -> Any:
    try:
        if len(data) > _LARGE_BODY_BYTES:
            return await asyncio.to_thread(parse_json, data)
        return parse_json(data)
    except InvalidJson as error:
        raise invalid_field("body", f"The body cannot be taken: {error}") from error


def body_format(
    request: Request, *, allowed: tuple[str, ...] = (*_JSON_ONLY, *YAML_MEDIA_TYPES)
) -> Format:
    """Return the format that the headers of *request* say its body has; JSON if they say nothing.

    Raises:
        ApiError: ``validation_error``: another media type, an encoding that is not UTF-8, or a
            compressed body.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise invalid_field(
            "header.Content-Encoding",
            f"Compressed bodies are not taken: {encoding[:80]!r}.",
            allowed=["identity"],
        )
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
            raise _unsupported(request, allowed)
    if not media_type or media_type in _JSON_ONLY:
        return "json"
    if media_type in YAML_MEDIA_TYPES and media_type in allowed:
        return "yaml"
    raise _unsupported(request, allowed)


def json_kind(value: Any) -> str:
    """Return what JSON calls the type of *value*, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _unsupported(request: Request, allowed: tuple[str, ...]) -> ApiError:
    given = request.headers.get("content-type", "")[:200]
    return invalid_field(
        "header.Content-Type",
        f"The body cannot be {given!r}; send {' or '.join(allowed[:2])} in UTF-8.",
        allowed=list(allowed),
    )
