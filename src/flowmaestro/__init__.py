"""FlowMaestro: run workflows and watch every execution live.

What the root offers, and where it lives:

    client/      FlowMaestroClient, AsyncFlowMaestroClient and their errors: the SDK
    nodes/       node, function, NodeContext, ...: write node types in Python
    events/      the typed events that a stream yields
    engine/, storage/, streaming/, api/, main/   the server (`pip install "flowmaestro[server]"`)

Names are imported when they are first used, so that `import flowmaestro` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowmaestro.nodes.context import NodeContext, SyncNodeContext
    from flowmaestro.nodes.decorators import function, node
    from flowmaestro.nodes.errors import NodeError
    from flowmaestro.nodes.results import Routed

__version__ = "0.1.0"

_HOMES = {
    "NodeContext": "flowmaestro.nodes.context",
    "NodeError": "flowmaestro.nodes.errors",
    "Routed": "flowmaestro.nodes.results",
    "SyncNodeContext": "flowmaestro.nodes.context",
    "function": "flowmaestro.nodes.decorators",
    "node": "flowmaestro.nodes.decorators",
}

__all__ = [
    "NodeContext",
    "NodeError",
    "Routed",
    "SyncNodeContext",
    "__version__",
    "function",
    "node",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flowmaestro' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
