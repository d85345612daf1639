"""``python``: calls a function that the operator registered."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from flowmaestro.nodes.config import NodeConfig
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Result
from flowmaestro.nodes.user_types import PythonFunction
from flowmaestro.workflow.catalog import NodeTypeSpec


class PythonConfig(NodeConfig):
    """Calls a Python function that the operator registered with `@function`."""

    function: str = Field(min_length=1, description="The function's registered name.")
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        validate_default=True,
        description="Its arguments by name, checked by its type hints.",
    )


def make_python(functions: Mapping[str, PythonFunction]) -> NodeType:
    """Return the ``python`` type for *functions*: its config model knows their names and
    arguments, so that a definition is checked against them before it is stored."""

    class RegisteredPythonConfig(PythonConfig):
        __doc__ = PythonConfig.__doc__

        @field_validator("function")
        @classmethod
        def _is_registered(cls, name: str) -> str:
            if name not in functions:
                raise ValueError(_unknown(name, functions))
            return name

        @field_validator("arguments")
        @classmethod
        def _names_fit(cls, arguments: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
            function = functions.get(info.data.get("function", ""))
            problems = function.argument_problems(set(arguments)) if function else []
            if problems:
                raise ValueError("; ".join(problems))
            return arguments

    async def run(config: PythonConfig, context: NodeContext) -> Result:
        return await functions[config.function].call(config.arguments, context)

    spec = NodeTypeSpec(
        name="python",
        config_model=RegisteredPythonConfig,
        description="Calls a Python function that the operator registered with `@function`.",
    )
    return NodeType(spec, run)


def _unknown(name: str, functions: Mapping[str, PythonFunction]) -> str:
    if not functions:
        return f"there is no function {name!r}: none is registered"
    close = get_close_matches(name, functions, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"registered are {', '.join(functions)}"
    return f"there is no function {name!r}: {hint}"
