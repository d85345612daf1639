"""Node types: the built-in ones, the operator's own, and what they are given and give back.

Reading order: ``node_type`` (what a type is), ``context`` and ``results`` (what a node gets and
gives), ``builtin/`` (one module a type), ``outbound/`` (what ``http`` nodes may connect to),
``decorators``, ``signature`` and ``user_types`` (from a Python function to a type), ``registry``
(all of them by name), ``testing`` (for authors' tests).

Names are imported when they are first used: a module of node types needs the decorators alone, and
these need nothing of the server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowmaestro.nodes.context import NodeCancelled, NodeContext, Reporter, SyncNodeContext
    from flowmaestro.nodes.decorators import function, node
    from flowmaestro.nodes.errors import (
        DuplicateName,
        InvalidNodeFunction,
        NodeError,
        NodeModuleError,
        RegistryError,
    )
    from flowmaestro.nodes.node_type import NodeType, Run
    from flowmaestro.nodes.outbound.allowed import AllowedNetworks
    from flowmaestro.nodes.registry import Registry
    from flowmaestro.nodes.results import Expanded, Result, Routed
    from flowmaestro.nodes.services import HttpOptions, Provider, Services
    from flowmaestro.nodes.user_types import PythonFunction

__all__ = [
    "AllowedNetworks",
    "DuplicateName",
    "Expanded",
    "HttpOptions",
    "InvalidNodeFunction",
    "NodeCancelled",
    "NodeContext",
    "NodeError",
    "NodeModuleError",
    "NodeType",
    "Provider",
    "PythonFunction",
    "Registry",
    "RegistryError",
    "Reporter",
    "Result",
    "Routed",
    "Run",
    "Services",
    "SyncNodeContext",
    "function",
    "node",
]

_MODULES = {
    "context": ("NodeCancelled", "NodeContext", "Reporter", "SyncNodeContext"),
    "decorators": ("function", "node"),
    "errors": (
        "DuplicateName",
        "InvalidNodeFunction",
        "NodeError",
        "NodeModuleError",
        "RegistryError",
    ),
    "node_type": ("NodeType", "Run"),
    "outbound.allowed": ("AllowedNetworks",),
    "registry": ("Registry",),
    "results": ("Expanded", "Result", "Routed"),
    "services": ("HttpOptions", "Provider", "Services"),
    "user_types": ("PythonFunction",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
