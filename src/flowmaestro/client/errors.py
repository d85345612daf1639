"""What the SDK raises. Every error carries its fields; the library's own error is its cause.

::

    FlowMaestroError
    ├── ConfigurationError          the client was made or called with something it cannot use
    ├── APIError                    the server answered with an error; one class for each code:
    │   ├── AuthenticationError         401
    │   │   ├── InvalidAPIKey               invalid_api_key
    │   │   ├── ExpiredAPIKey               expired_api_key
    │   │   └── RevokedAPIKey               revoked_api_key
    │   ├── InsufficientScope           403 insufficient_scope
    │   ├── ResourceNotFound            404 resource_not_found
    │   ├── ValidationError             400 validation_error
    │   ├── NotAcceptable               406 not_acceptable
    │   ├── CursorExpired               410 cursor_expired
    │   ├── PayloadTooLarge             413 payload_too_large
    │   ├── RateLimitExceeded           429 rate_limit_exceeded
    │   ├── InternalServerError         500 internal_error
    │   └── ServiceUnavailable          503 service_unavailable
    ├── UnexpectedResponse          the answer is not one of FlowMaestro's API
    ├── TransportError              there was no whole answer
    │   ├── ConnectionFailed            no connection, or it broke
    │   └── RequestTimeout              the server took too long
    ├── StreamError                 a stream could not go on, and reconnecting did not help
    │   ├── StreamInterrupted           it ended before the execution did
    │   ├── StreamStalled               it went silent
    │   └── StreamProtocolError         it carried what no stream carries
    └── DeadlineExceeded            the time the caller gave is over (also a TimeoutError)

No message holds an API key.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final


class FlowMaestroError(Exception):
    """The root of what the SDK raises."""


class ConfigurationError(FlowMaestroError, ValueError):
    """The client was made or called with something it cannot use; nothing was sent."""


class APIError(FlowMaestroError):
    """The server answered with an error. Codes that have no class of their own raise this one.

    Args:
        status: the HTTP status.
        code: the error's code, the part for programs (``resource_not_found``).
        message: the server's sentence for people.
        details: more for programs; what it holds depends on the code.
        request_id: what the server calls this request in its logs, if it said so.
        retry_after_seconds: how long the server asks to wait, if it does.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Any = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(status, code, message)  # all three, or it could not be pickled
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        about = f"{self.status} {self.code}"
        if self.request_id:
            about += f", {self.request_id}"
        return f"{self.message} ({about})"


class AuthenticationError(APIError):
    """The API key does not open the door."""


class InvalidAPIKey(AuthenticationError):
    """There is no such key, or the request carried none."""


class ExpiredAPIKey(AuthenticationError):
    """The key was good until its day of expiry."""


class RevokedAPIKey(AuthenticationError):
    """Somebody revoked the key."""


class InsufficientScope(APIError):
    """The key may not do this; ``details`` names the scope it lacks."""


class ResourceNotFound(APIError):
    """The workflow or execution does not exist, or belongs to another workspace."""


class ValidationError(APIError):
    """The request is wrong; ``details`` says where and why."""


class NotAcceptable(APIError):
    """The resource does not come in the format asked for."""


class CursorExpired(APIError):
    """The events after the cursor are no longer retained."""


class PayloadTooLarge(APIError):
    """The request is larger than the server takes."""


class RateLimitExceeded(APIError):
    """The key made too many requests; ``retry_after_seconds`` says when it may go on."""


class InternalServerError(APIError):
    """Something went wrong inside the server."""


class ServiceUnavailable(APIError):
    """The server cannot do it now: it is starting, stopping or overloaded."""


ERROR_OF_CODE: Final[Mapping[str, type[APIError]]] = MappingProxyType(
    {
        "invalid_api_key": InvalidAPIKey,
        "expired_api_key": ExpiredAPIKey,
        "revoked_api_key": RevokedAPIKey,
        "insufficient_scope": InsufficientScope,
        "resource_not_found": ResourceNotFound,
        "validation_error": ValidationError,
        "not_acceptable": NotAcceptable,
        "cursor_expired": CursorExpired,
        "payload_too_large": PayloadTooLarge,
        "rate_limit_exceeded": RateLimitExceeded,
        "internal_error": InternalServerError,
        "service_unavailable": ServiceUnavailable,
    }
)
"""The class that each error code is raised as."""


class UnexpectedResponse(FlowMaestroError):
    """The answer is not one of FlowMaestro's API: the base URL leads somewhere else, or something
    between here and there answered. ``status`` is its HTTP status."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class TransportError(FlowMaestroError):
    """There was no whole answer, so nobody knows whether the request was carried out."""


class ConnectionFailed(TransportError):
    """No connection could be made (``sent`` is False), or it broke before the answer was whole."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class RequestTimeout(TransportError):
    """The server took longer to answer than ``timeout_seconds`` allows."""


class StreamError(FlowMaestroError):
    """A stream could not go on. ``last_event_id`` is the cursor to go on from."""

    def __init__(self, message: str, *, last_event_id: int = 0) -> None:
        super().__init__(message)
        self.last_event_id = last_event_id


class StreamInterrupted(StreamError):
    """The response ended before the execution did."""


class StreamStalled(StreamError):
    """Nothing came for longer than the stall timer allows, not even a heartbeat."""


class StreamProtocolError(StreamError):
    """The server sent what no stream carries, and sent it again after a reconnect."""


class DeadlineExceeded(FlowMaestroError, TimeoutError):
    """The time that the caller gave is over; the execution itself goes on.

    The cause, if there is one, is what kept the stream from going on.
    """
