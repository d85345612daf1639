"""The decorators that make node types and functions out of Python functions.

They attach a declaration to the function and leave it as it is, so that it can be called and tested
like any other; nothing is registered until a :class:`~flowmaestro.nodes.registry.Registry` scans
the function's module. This module imports neither the server nor an HTTP client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

_NODE = "__flowmaestro_node__"
_FUNCTION = "__flowmaestro_function__"


@dataclass(frozen=True, slots=True)
class NodeDeclaration:
    """What ``@node`` says of a function."""

    name: str
    description: str | None
    handles: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class FunctionDeclaration:
    """What ``@function`` says of a function."""

    name: str
    description: str | None


@overload
def node(name: F, /) -> F: ...
@overload
def node(
    name: str | None = None,
    /,
    *,
    description: str | None = None,
    handles: Iterable[str] | None = None,
) -> Callable[[F], F]: ...
def node(
    name: F | str | None = None,
    /,
    *,
    description: str | None = None,
    handles: Iterable[str] | None = None,
) -> F | Callable[[F], F]:
    """Make a node type out of a function, with or without ``async``.

    The parameters are the node's config: their type hints give its schema, their defaults make
    fields optional, and ``Annotated[str, Field(description=…)]`` describes one. A parameter
    annotated with :class:`~flowmaestro.nodes.context.NodeContext` (in an ``async`` function) or
    :class:`~flowmaestro.nodes.context.SyncNodeContext` (in one without, which runs in a thread)
    gets the context instead. What the function returns are the node's outputs: an object as it
    is, any other JSON value as ``{"value": …}``.

    ::

        @node("sentiment")
        async def sentiment(text: str, context: NodeContext, threshold: float = 0.5) -> dict: ...

    :param name: the type's name in definitions; the function's name by default.
    :param description: what it does, for people; the docstring's first paragraph by default.
    :param handles: makes it a routing node, which returns
        :class:`~flowmaestro.nodes.results.Routed` with one of these.
    """
    declared = None if handles is None else tuple(handles)

    def attach(decorated: F, type_name: str | None = None) -> F:
        declaration = NodeDeclaration(type_name or decorated.__name__, description, declared)
        setattr(decorated, _NODE, declaration)
        return decorated

    if callable(name):
        return attach(name)
    return lambda decorated: attach(decorated, name)


@overload
def function(name: F, /) -> F: ...
@overload
def function(name: str | None = None, /, *, description: str | None = None) -> Callable[[F], F]: ...
def function(
    name: F | str | None = None, /, *, description: str | None = None
) -> F | Callable[[F], F]:
    """Make a function callable by ``python`` nodes, which name it and give its arguments.

    Parameters, context and result are as for :func:`node`.

    :param name: the name in definitions; the function's own by default.
    :param description: what it does, for people; the docstring's first paragraph by default.
    """

    def attach(decorated: F, function_name: str | None = None) -> F:
        declaration = FunctionDeclaration(function_name or decorated.__name__, description)
        setattr(decorated, _FUNCTION, declaration)
        return decorated

    if callable(name):
        return attach(name)
    return lambda decorated: attach(decorated, name)


def node_declaration(value: object) -> NodeDeclaration | None:
    """Return what ``@node`` said of *value*, if it is a function that was decorated with it."""
    declaration = getattr(value, _NODE, None) if callable(value) else None
    return declaration if isinstance(declaration, NodeDeclaration) else None


def function_declaration(value: object) -> FunctionDeclaration | None:
    """Return what ``@function`` said of *value*, if it was decorated with it."""
    declaration = getattr(value, _FUNCTION, None) if callable(value) else None
    return declaration if isinstance(declaration, FunctionDeclaration) else None
