"""The base of every node type's config model, and the field types that several share."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_TIMEOUT_MS = 24 * 60 * 60 * 1_000


class NodeConfig(BaseModel):
    """What every node's config accepts: snake_case names and their camelCase twins; unknown keys
    are ignored. Errors name the fields in snake_case, whichever way they were written."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )

    output_variable: str | None = Field(
        default=None,
        min_length=1,
        description="A variable name under which later nodes also find this node's outputs.",
    )


def as_text(value: Any) -> str:
    """Return a JSON value as the text that a template would put in its place: text as it is,
    anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_type(value: Any) -> str:
    """Return the name of a value's JSON type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "object" if isinstance(value, dict) else "list"


def _given_as_text(value: Any) -> Any:
    return value if value is None else as_text(value)


Text = Annotated[str, BeforeValidator(_given_as_text)]
"""Text; what a template rendered to a number, list or object is written out as JSON."""

TimeoutMs = Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS)]
