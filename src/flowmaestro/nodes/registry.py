"""The node types of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from flowmaestro.nodes.builtin import builtin_types
from flowmaestro.nodes.builtin.python import make_python
from flowmaestro.nodes.decorators import function_declaration, node_declaration
from flowmaestro.nodes.errors import DuplicateName, NodeModuleError
from flowmaestro.nodes.modules import decorated_functions, load_module
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.services import Services
from flowmaestro.nodes.signature import describe_function
from flowmaestro.nodes.user_types import PythonFunction, make_function, make_node_type
from flowmaestro.workflow.catalog import Catalog


class Registry(Mapping[str, NodeType]):
    """The node types by name. Immutable: :meth:`with_module` returns a larger one.

    ``Registry.builtin(services)`` is where to start; *services* is closed by whoever made it.
    """

    def __init__(
        self,
        types: Mapping[str, NodeType],
        functions: Mapping[str, PythonFunction],
        authors: Mapping[str, Callable[..., Any]],
    ) -> None:
        python = make_python(functions)
        self._types = {**types, python.spec.name: python}
        self._functions = MappingProxyType(dict(functions))
        self._authors = dict(authors)

    @classmethod
    def builtin(cls, services: Services) -> Registry:
        """Return the registry of the built-in types, which use *services*."""
        return cls(builtin_types(services), functions={}, authors={})

    def with_module(self, module: ModuleType | str) -> Registry:
        """Return a registry that also has what is decorated in *module*.

        :param module: a module, or its name, or the path of a ``.py`` file; importing it runs it.
        :raises NodeModuleError: if it cannot be imported, or if nothing in it is decorated.
        :raises DuplicateName: if a name is a built-in type's or is used twice. The same function
            may come through several modules.
        :raises InvalidNodeFunction: if a function's signature cannot become a config.
        """
        loaded = load_module(module) if isinstance(module, str) else module
        types, functions, authors = dict(self._types), dict(self._functions), dict(self._authors)
        found = False
        for function in decorated_functions(loaded):
            found = True
            source = describe_function(function)
            if (node := node_declaration(function)) is not None:
                node_type = make_node_type(function, node)
                author = authors.get(node.name)
                if node.name in types and author is not function:
                    taken_by = "FlowMaestro" if author is None else describe_function(author)
                    raise DuplicateName("node type", node.name, taken_by, source)
                types[node.name] = node_type
                authors[node.name] = function
            if (named := function_declaration(function)) is not None:
                known = functions.get(named.name)
                if known is not None and known.implementation.function is not function:
                    raise DuplicateName("function", named.name, known.source, source)
                functions[named.name] = make_function(function, named)
        if not found:
            name = module if isinstance(module, str) else module.__name__
            raise NodeModuleError(name, "nothing in it is decorated with @node or @function")
        return Registry(types, functions, authors)

    @property
    def catalog(self) -> Catalog:
        """What the scheduler and validation know of each type."""
        return {name: node_type.spec for name, node_type in self._types.items()}

    @property
    def functions(self) -> Mapping[str, PythonFunction]:
        """The functions that ``python`` nodes may call, by name."""
        return self._functions

    def __getitem__(self, name: str) -> NodeType:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)
