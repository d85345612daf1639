"""The Python SDK: :class:`FlowMaestroClient` and :class:`AsyncFlowMaestroClient`.

Reading order: ``sync_client`` and ``async_client`` (what a caller uses), ``calls`` (what is sent),
``answers`` and ``models`` (what comes back), ``errors``; then the two policies, written once
without I/O and driven by both clients: ``retries`` (plain requests) and ``resume`` (streams, with
their shells ``sync_stream`` and ``async_stream``).
"""

from flowmaestro.client.async_client import AsyncFlowMaestroClient
from flowmaestro.client.async_stream import AsyncEventStream
from flowmaestro.client.backoff import Backoff
from flowmaestro.client.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    CursorExpired,
    DeadlineExceeded,
    ExpiredAPIKey,
    FlowMaestroError,
    InsufficientScope,
    InternalServerError,
    InvalidAPIKey,
    NotAcceptable,
    PayloadTooLarge,
    RateLimitExceeded,
    RequestTimeout,
    ResourceNotFound,
    RevokedAPIKey,
    ServiceUnavailable,
    StreamError,
    StreamInterrupted,
    StreamProtocolError,
    StreamStalled,
    TransportError,
    UnexpectedResponse,
    ValidationError,
)
from flowmaestro.client.models import (
    ErrorDetails,
    ExecuteResponse,
    Execution,
    Pagination,
    Ticket,
    Workflow,
)
from flowmaestro.client.pages import AsyncPage, Page
from flowmaestro.client.resume import Reconnecting, StreamEvent
from flowmaestro.client.sync_client import FlowMaestroClient
from flowmaestro.client.sync_stream import EventStream

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
    "ErrorDetails",
    "EventStream",
    "ExecuteResponse",
    "Execution",
    "ExpiredAPIKey",
    "FlowMaestroClient",
    "FlowMaestroError",
    "InsufficientScope",
    "InternalServerError",
    "InvalidAPIKey",
    "NotAcceptable",
    "Page",
    "Pagination",
    "PayloadTooLarge",
    "RateLimitExceeded",
    "Reconnecting",
    "RequestTimeout",
    "ResourceNotFound",
    "RevokedAPIKey",
    "ServiceUnavailable",
    "StreamError",
    "StreamEvent",
    "StreamInterrupted",
    "StreamProtocolError",
    "StreamStalled",
    "Ticket",
    "TransportError",
    "UnexpectedResponse",
    "ValidationError",
    "Workflow",
]
