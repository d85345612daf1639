"""FlowMaestro: run workflows and watch every execution live.

What the root offers, and where it lives:

    client/      FlowMaestroClient, AsyncFlowMaestroClient, their results and their errors: the SDK
    events/      the typed events that a stream yields
    nodes/       node, function, NodeContext, ...: write node types in Python
    engine/, storage/, streaming/, api/, main/   the server (`pip install "flowmaestro[server]"`)

Names are imported when they are first used, so that `import flowmaestro` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowmaestro.client import (
        APIError,
        AsyncEventStream,
        AsyncFlowMaestroClient,
        AsyncPage,
        AuthenticationError,
        Backoff,
        ConfigurationError,
        ConnectionFailed,
        CursorExpired,
        DeadlineExceeded,
        EventStream,
        ExecuteResponse,
        Execution,
        ExpiredAPIKey,
        FlowMaestroClient,
        FlowMaestroError,
        InsufficientScope,
        InternalServerError,
        InvalidAPIKey,
        NotAcceptable,
        Page,
        PayloadTooLarge,
        RateLimitExceeded,
        Reconnecting,
        RequestTimeout,
        ResourceNotFound,
        RevokedAPIKey,
        ServiceUnavailable,
        StreamError,
        StreamEvent,
        StreamInterrupted,
        StreamProtocolError,
        StreamStalled,
        Ticket,
        TransportError,
        UnexpectedResponse,
        ValidationError,
        Workflow,
    )
    from flowmaestro.events import (
        Event,
        ExecutionCancelled,
        ExecutionCompleted,
        ExecutionFailed,
        ExecutionProgress,
        ExecutionStarted,
        NodeCompleted,
        NodeExpanded,
        NodeFailed,
        NodeLog,
        NodeRetrying,
        NodeSkipped,
        NodeStarted,
        UnknownEvent,
    )
    from flowmaestro.nodes import (
        NodeContext,
        NodeError,
        Routed,
        SyncNodeContext,
        function,
        node,
    )

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "AsyncEventStream",
    "AsyncFlowMaestroClient",
    "AsyncPage",
    "AuthenticationError",
    "Backoff",
    "ConfigurationError",
    "ConnectionFailed",
    "CursorExpired",
    "DeadlineExceeded",
    "Event",
    "EventStream",
    "ExecuteResponse",
    "Execution",
    "ExecutionCancelled",
    "ExecutionCompleted",
    "ExecutionFailed",
    "ExecutionProgress",
    "ExecutionStarted",
    "ExpiredAPIKey",
    "FlowMaestroClient",
    "FlowMaestroError",
    "InsufficientScope",
    "InternalServerError",
    "InvalidAPIKey",
    "NodeCompleted",
    "NodeContext",
    "NodeError",
    "NodeExpanded",
    "NodeFailed",
    "NodeLog",
    "NodeRetrying",
    "NodeSkipped",
    "NodeStarted",
    "NotAcceptable",
    "Page",
    "PayloadTooLarge",
    "RateLimitExceeded",
    "Reconnecting",
    "RequestTimeout",
    "ResourceNotFound",
    "RevokedAPIKey",
    "Routed",
    "ServiceUnavailable",
    "StreamError",
    "StreamEvent",
    "StreamInterrupted",
    "StreamProtocolError",
    "StreamStalled",
    "SyncNodeContext",
    "Ticket",
    "TransportError",
    "UnexpectedResponse",
    "UnknownEvent",
    "ValidationError",
    "Workflow",
    "__version__",
    "function",
    "node",
]

_NODE_NAMES = frozenset(
    ("NodeContext", "NodeError", "Routed", "SyncNodeContext", "function", "node")
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'flowmaestro' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_home(name)), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _home(name: str) -> str:
    if name in _NODE_NAMES:
        return "flowmaestro.nodes"
    # Events are told apart without importing the client, which brings the HTTP library along.
    events = import_module("flowmaestro.events")
    return "flowmaestro.events" if hasattr(events, name) else "flowmaestro.client"
