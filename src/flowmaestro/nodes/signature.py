"""From a Python function's signature to a config model, and from a config back to a call."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, PydanticUserError, create_model
from pydantic_core import PydanticUndefined

from flowmaestro.nodes.config import NodeConfig
from flowmaestro.nodes.context import NodeContext, SyncNodeContext
from flowmaestro.nodes.errors import InvalidNodeFunction
from flowmaestro.nodes.results import Result, result_of

_CALLABLE_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class NodeFunction:
    """A user's function, ready to be called with a config made of its parameters."""

    function: Callable[..., Any]
    model: type[BaseModel]
    """One field for each parameter; the context is none of them."""
    parameters: tuple[str, ...]
    context_parameter: str | None
    is_async: bool
    description: str

    async def call(self, config: BaseModel, context: NodeContext) -> Result:
        """Call the function; one without ``async`` runs in a thread.

        Raises what the function raises, and :class:`NodeError` for a result that is no JSON.
        Cancelling cancels an ``async`` function; see :meth:`NodeContext.run_in_thread`.
        """
        arguments = {name: getattr(config, name) for name in self.parameters}
        if self.is_async:
            if self.context_parameter is not None:
                arguments[self.context_parameter] = context
            return result_of(await self.function(**arguments))

        def call(sync_context: SyncNodeContext) -> Result:
            if self.context_parameter is not None:
                arguments[self.context_parameter] = sync_context
            return result_of(self.function(**arguments))

        return await context.run_in_thread(call)


def read_function(function: Callable[..., Any], base: type[BaseModel] = NodeConfig) -> NodeFunction:
    """Return *function* with the model of its parameters, which extends *base*.

    :raises InvalidNodeFunction: if a config cannot be turned into a call of it.
    """
    name = describe_function(function)
    if not inspect.isfunction(function):
        raise InvalidNodeFunction(name, "only functions can be decorated")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidNodeFunction(name, "it yields; a node returns its result once")
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:
        raise InvalidNodeFunction(name, f"its type hints cannot be read: {error}") from error
    is_async = inspect.iscoroutinefunction(function)
    fields: dict[str, Any] = {}
    context_parameter: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, Any)
        if hint in (NodeContext, SyncNodeContext):
            if context_parameter is not None:
                raise InvalidNodeFunction(name, "it asks for the context twice")
            if is_async is not (hint is NodeContext):
                wanted = "NodeContext" if is_async else "SyncNodeContext"
                kind = "an async function" if is_async else "a function without async"
                raise InvalidNodeFunction(
                    name, f"{parameter.name!r} must be a {wanted}: it is {kind}"
                )
            context_parameter = parameter.name
        else:
            _check_parameter(name, parameter, base)
            default = parameter.default
            missing = default is inspect.Parameter.empty
            fields[parameter.name] = (hint, PydanticUndefined if missing else default)
    description = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return NodeFunction(
        function=function,
        model=_make_model(name, function, base, fields, description),
        parameters=tuple(fields),
        context_parameter=context_parameter,
        is_async=is_async,
        description=description,
    )


def describe_function(function: Callable[..., Any]) -> str:
    """Return where a function comes from, for messages: ``module.function``."""
    qualified_name = getattr(function, "__qualname__", repr(function))
    return f"{getattr(function, '__module__', '?')}.{qualified_name}"


def _check_parameter(name: str, parameter: inspect.Parameter, base: type[BaseModel]) -> None:
    if parameter.kind not in _CALLABLE_BY_NAME:
        reason = f"its parameter {parameter} cannot be given by name"
    elif parameter.name.startswith("_"):
        reason = f"its parameter {parameter.name!r} starts with an underscore"
    elif parameter.name in base.model_fields:
        reason = f"{parameter.name!r} is a field that every node has: rename the parameter"
    elif parameter.name.startswith("model_") and hasattr(base, parameter.name):
        reason = f"{parameter.name!r} is a reserved name: rename the parameter"
    else:
        return
    raise InvalidNodeFunction(name, reason)


def _make_model(
    name: str,
    function: Callable[..., Any],
    base: type[BaseModel],
    fields: Mapping[str, Any],
    description: str,
) -> type[BaseModel]:
    try:
        with warnings.catch_warnings():
            # A parameter may be called `json` or `schema`: nothing here uses pydantic's own.
            warnings.filterwarnings("ignore", message="Field name .* shadows an attribute")
            return create_model(
                "".join(part.title() for part in function.__name__.split("_")) + "Config",
                __base__=base,
                __module__=function.__module__,
                __doc__=description or None,
                **fields,
            )
    except (PydanticUserError, TypeError, ValueError, NameError) as error:
        raise InvalidNodeFunction(name, f"its type hints make no schema: {error}") from error
