"""What a workflow takes: the JSON Schema of its inputs, and the check of what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowmaestro.workflow.definition import Definition
from flowmaestro.workflow.expressions import has_template
from flowmaestro.workflow.problems import Path, Problem, format_path, shorten, type_name

_JSON_TYPES = {
    "string": "string",
    "text": "string",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "object": "object",
    "array": "array",
    "list": "array",
}
_SENTENCE_NAMES = {
    "string": "text",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
}


@dataclass(frozen=True)
class DeclaredInput:
    """One input, as an ``input`` node of the definition declares it."""

    name: str
    json_type: str | None
    """``string``, ``number``, ``integer``, ``boolean``, ``object`` or ``array``; ``None``: any."""
    required: bool
    has_default: bool
    default: Any
    description: str | None


def declared_inputs(definition: Definition) -> list[DeclaredInput]:
    """Return the inputs that *definition*'s own ``input`` nodes declare, in their order; of two
    that share a name, the stricter counts."""
    found: dict[str, DeclaredInput] = {}
    for declared in _declarations(definition):
        before = found.get(declared.name)
        if before is None or (declared.required and not before.required):
            found[declared.name] = declared
    return list(found.values())


def input_schema(definition: Definition) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the object that an execution takes as inputs.

    Inputs that are not declared are allowed: expressions may name them.
    """
    properties: dict[str, Any] = {}
    inputs = declared_inputs(definition)
    for declared in inputs:
        schema: dict[str, Any] = {}
        if declared.json_type is not None:
            optional = not declared.required
            schema["type"] = [declared.json_type, "null"] if optional else declared.json_type
        if declared.description:
            schema["description"] = declared.description
        if declared.has_default:
            schema["default"] = declared.default
        properties[declared.name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [declared.name for declared in inputs if declared.required],
    }


def check_inputs(definition: Definition, inputs: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with *inputs*, the object that an execution is to begin with: required
    ones that are not there, and values of another type than declared. Others are allowed."""
    problems = []
    for declared in declared_inputs(definition):
        path: Path = ("inputs", declared.name)
        if declared.name not in inputs:
            if declared.required:
                message = f"The input '{shorten(declared.name)}' is required."
                problems.append(Problem(format_path(path), message, "missing"))
        elif not _matches(inputs[declared.name], declared):
            expected = _SENTENCE_NAMES[declared.json_type or "object"]
            message = (
                f"The input '{shorten(declared.name)}' must be {expected}, "
                f"not {type_name(inputs[declared.name])}."
            )
            problems.append(Problem(format_path(path), message, "invalid_type"))
    return problems


def _declarations(definition: Definition) -> Iterator[DeclaredInput]:
    for node in definition.nodes.values():
        config = node.config
        name, kind = config.get("input_name"), config.get("input_type")
        if node.type != "input" or not isinstance(name, str) or has_template(name):
            continue
        has_default = "default_value" in config
        description = config.get("description")
        yield DeclaredInput(
            name=name,
            json_type=_JSON_TYPES.get(kind) if isinstance(kind, str) else None,
            required=config.get("required", True) is True and not has_default,
            has_default=has_default,
            default=config.get("default_value"),
            description=description if isinstance(description, str) else None,
        )


def _matches(value: Any, declared: DeclaredInput) -> bool:
    if declared.json_type is None or (value is None and not declared.required):
        return True
    kind = type(value)
    match declared.json_type:
        case "string":
            return kind is str
        case "number":
            return kind is int or kind is float
        case "integer":
            # JSON has one kind of number: 5.0 is 5.
            return kind is int or (kind is float and value.is_integer())
        case "boolean":
            return kind is bool
        case "object":
            return kind is dict
    return kind is list
