"""``input``: takes one of the execution's inputs into the workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from flowmaestro.nodes.config import NodeConfig, json_type
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.workflow.catalog import NodeTypeSpec

InputType = Literal[
    "any", "string", "text", "number", "integer", "boolean", "object", "json", "array"
]


class InputConfig(NodeConfig):
    """Takes one of the execution's inputs, checks it, and stores it as a variable."""

    input_name: str = Field(min_length=1, description="The input's name in the execute request.")
    input_variable: str | None = Field(
        default=None,
        min_length=1,
        description="The variable that later nodes read it by; the input's name by default.",
    )
    input_type: InputType = Field(
        default="any",
        description="The JSON type the value must have. `text` is `string`; `json` is any value.",
    )
    required: bool = Field(
        default=True, description="Whether the execution fails when the input is not given."
    )
    default_value: Any = Field(
        default=None, description="The value when the input is not given; it is then not required."
    )
    description: str | None = Field(default=None, description="What the input is, for people.")


def matches_type(value: Any, input_type: InputType) -> bool:
    """Whether a JSON *value* has the type that an ``input`` node asks for.

    A number without a fraction is an integer however it was written (``5.0``).
    """
    check = _CHECKS.get(input_type)
    return check is None or check(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: dict[InputType, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "text": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == value // 1,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def run(config: InputConfig, context: NodeContext) -> dict[str, Any]:
    """Return the input's value.

    :raises NodeError: ``missing_input`` or ``invalid_input``; another attempt would not help.
    """
    name = config.input_name
    if name not in context.inputs:
        if config.required and "default_value" not in config.model_fields_set:
            raise NodeError(
                f"the required input {name!r} was not given", code="missing_input", retryable=False
            )
        return {"value": config.default_value}
    value = context.inputs[name]
    optional_null = value is None and not config.required
    if not optional_null and not matches_type(value, config.input_type):
        raise NodeError(
            f"the input {name!r} must be of type {config.input_type}, not {json_type(value)}",
            code="invalid_input",
            retryable=False,
        )
    return {"value": value}


INPUT = NodeType(
    NodeTypeSpec(
        name="input",
        config_model=InputConfig,
        description="Takes one of the execution's inputs, checks it, and stores it as a variable.",
        literal_fields=("input_name", "input_variable", "default_value"),
    ),
    run,
    inline=True,
)
