"""What both clients need of the HTTP library: requests to build, errors to translate."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, TypedDict
from urllib.parse import urlencode

import httpx2

from flowmaestro.client.calls import Call, StreamCall
from flowmaestro.client.errors import (
    ConfigurationError,
    ConnectionFailed,
    RequestTimeout,
    TransportError,
)
from flowmaestro.client.options import ClientOptions
from flowmaestro.client.resume import Open, ResumeOptions

_ERROR_NUMBER: Final = re.compile(r"^\[Errno -?\d+\] ")
_BEFORE_SENDING: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


class ClientArguments(TypedDict):
    """The arguments that both of the library's clients are made with."""

    limits: httpx2.Limits
    verify: ssl.SSLContext | bool


class RequestArguments(TypedDict):
    """The arguments of ``build_request``, which both of the library's clients have."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    timeout: httpx2.Timeout


def client_arguments(options: ClientOptions) -> ClientArguments:
    """Return what the library's client is made with, if the caller brings none."""
    return {
        # A stream keeps its connection for as long as it lasts: their number must not be limited.
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        # Loading the certificates takes longer than a local request; a context without them trusts
        # nobody, should TLS come into play after all.
        "verify": options.base_url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    }


def request_arguments(options: ClientOptions, call: Call[Any]) -> RequestArguments:
    """Return how *call* is sent.

    Raises:
        ConfigurationError: its body cannot be written as JSON.
    """
    headers = {"Accept": "application/json", **options.request_headers(), **call.headers}
    content = None
    if call.body is not None:
        headers["Content-Type"] = "application/json"
        content = _to_json(call.body)
    return {
        "method": call.method,
        "url": _url(options, call.path, call.query),
        "headers": headers,
        "content": content,
        "timeout": httpx2.Timeout(options.timeout_seconds),
    }


def stream_arguments(options: ClientOptions, call: StreamCall, opening: Open) -> RequestArguments:
    """Return how *call* is sent to open its stream after the cursor of *opening*."""
    headers = {
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",  # a compressor in between would hold events back
        "Cache-Control": "no-cache",
        **options.request_headers(),
    }
    if opening.last_event_id:
        headers["Last-Event-ID"] = str(opening.last_event_id)
    seconds, silence_seconds = options.timeout_seconds, options.stall_seconds
    if opening.timeout_seconds is not None:
        seconds = min(seconds, opening.timeout_seconds)
        silence_seconds = min(silence_seconds, opening.timeout_seconds)
    return {
        "method": "GET",
        "url": _url(options, call.path, call.query),
        "headers": headers,
        "content": None,
        "timeout": httpx2.Timeout(seconds, read=silence_seconds),
    }


def resume_options(
    options: ClientOptions, *, max_reconnects: int | None, timeout_seconds: float | None
) -> ResumeOptions:
    """Return how a stream of a client with *options* is followed."""
    return ResumeOptions(
        backoff=options.backoff,
        stall_seconds=options.stall_seconds,
        max_reconnects=max_reconnects,
        max_first_reconnects=options.max_retries,
        max_retry_after_seconds=options.max_retry_after_seconds,
        timeout_seconds=timeout_seconds,
    )


def response_headers(response: httpx2.Response) -> dict[str, str]:
    """Return the response's headers with their names in lower case."""
    return {name.lower(): value for name, value in response.headers.items()}


def failure_text(error: Exception) -> str:
    """Return what *error* says, in words alone: without the number of the system's error."""
    return _ERROR_NUMBER.sub("", str(error)) or type(error).__name__


def translate(options: ClientOptions, error: Exception) -> TransportError:
    """Return the SDK's error for one of the library's, which becomes its cause."""
    reason = failure_text(error)
    translated: TransportError
    if isinstance(error, _BEFORE_SENDING):
        translated = ConnectionFailed(f"No connection to {options.server}: {reason}", sent=False)
    elif isinstance(error, httpx2.TimeoutException):
        translated = RequestTimeout(f"{options.server} took too long to answer ({reason}).")
    else:
        translated = ConnectionFailed(f"The connection to {options.server} broke: {reason}")
    translated.__cause__ = error
    return translated


def _url(options: ClientOptions, path: str, query: Mapping[str, str | int]) -> str:
    return f"{options.base_url}{path}?{urlencode(query)}" if query else options.base_url + path


def _to_json(body: Any) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"The request cannot be written as JSON: {error}.") from error
