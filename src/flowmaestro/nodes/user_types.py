"""Node types and functions of the operator's own, made from decorated functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.decorators import FunctionDeclaration, NodeDeclaration
from flowmaestro.nodes.errors import InvalidNodeFunction, NodeError
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Result, Routed
from flowmaestro.nodes.signature import NodeFunction, describe_function, read_function
from flowmaestro.workflow.catalog import NodeTypeSpec


class Arguments(BaseModel):
    """The base of a registered function's arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A function that ``python`` nodes may call by ``name``."""

    name: str
    description: str
    source: str
    """``module.function``, for messages."""
    implementation: NodeFunction

    @property
    def required(self) -> tuple[str, ...]:
        """The arguments that must be given."""
        fields = self.implementation.model.model_fields
        return tuple(name for name in self.implementation.parameters if fields[name].is_required())

    def argument_problems(self, given: set[str]) -> list[str]:
        """Say what is wrong with the names of the arguments *given*."""
        known = self.implementation.parameters
        missing = [name for name in self.required if name not in given]
        unexpected = sorted(given.difference(known))
        problems = []
        if missing:
            problems.append(f"{_names(missing)} must be given")
        if unexpected:
            takes = f"it takes {_names(known)}" if known else "it takes none"
            problems.append(f"{_names(unexpected)} cannot be given: {takes}")
        return problems

    async def call(self, arguments: dict[str, Any], context: NodeContext) -> Result:
        """Call the function.

        :raises NodeError: ``invalid_arguments``, if they do not fit its type hints.
        """
        try:
            config = self.implementation.model.model_validate(arguments)
        except ValidationError as error:
            raise NodeError(
                f"the function {self.name!r} cannot be called: {_sentences(error)}",
                code="invalid_arguments",
                retryable=False,
            ) from None  # the cause's text repeats the values, which may be secret
        return await self.implementation.call(config, context)


def make_node_type(function: Callable[..., Any], declaration: NodeDeclaration) -> NodeType:
    """Return the node type of a function that ``@node`` decorated.

    :raises InvalidNodeFunction: if its signature or declaration cannot be used.
    """
    _check_name(function, declaration.name)
    implementation = read_function(function)
    handles = declaration.handles
    if handles is not None and not (handles and all(handles)):
        raise InvalidNodeFunction(describe_function(function), "its handles must not be empty")

    async def run(config: BaseModel, context: NodeContext) -> Result:
        return _checked(await implementation.call(config, context), declaration)

    spec = NodeTypeSpec(
        name=declaration.name,
        config_model=implementation.model,
        handles=None if handles is None else lambda config: handles,  # noqa: ARG005
        description=declaration.description or implementation.description,
    )
    return NodeType(spec, run)


def make_function(function: Callable[..., Any], declaration: FunctionDeclaration) -> PythonFunction:
    """Return the function that ``@function`` decorated, ready for ``python`` nodes.

    :raises InvalidNodeFunction: if its signature cannot be used.
    """
    _check_name(function, declaration.name)
    implementation = read_function(function, Arguments)
    return PythonFunction(
        name=declaration.name,
        description=declaration.description or implementation.description,
        source=describe_function(function),
        implementation=implementation,
    )


def _checked(result: Result, declaration: NodeDeclaration) -> Result:
    handles = declaration.handles
    if isinstance(result, Routed):
        if handles is None or result.handle not in handles:
            allowed = "none" if handles is None else _names(handles)
            raise NodeError(
                f"the node chose the handle {result.handle!r}, which its type does not declare "
                f"(declared: {allowed})",
                code="invalid_handle",
                retryable=False,
            )
    elif handles is not None:
        raise NodeError(
            f"the node must return Routed with one of its handles: {_names(handles)}",
            code="invalid_handle",
            retryable=False,
        )
    return result


def _check_name(function: Callable[..., Any], name: str) -> None:
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise InvalidNodeFunction(describe_function(function), f"{name!r} is no usable name")


def _sentences(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
