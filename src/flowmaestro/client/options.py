"""How a client is set up, and where it finds the server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from flowmaestro.client.backoff import Backoff
from flowmaestro.client.errors import ConfigurationError

API_KEY_VARIABLE: Final = "FLOWMAESTRO_API_KEY"
BASE_URL_VARIABLE: Final = "FLOWMAESTRO_BASE_URL"
DEFAULT_BASE_URL: Final = "http://127.0.0.1:8000"

_API_PATH: Final = "/api/v1"
_HEADER_VALUE: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What both clients are made of."""

    api_key: str = field(repr=False)
    base_url: str
    """Where the API begins, its version included and without a slash at the end."""
    timeout_seconds: float = 30.0
    """How long connecting, sending and each wait for the answer's next bytes may take."""
    max_retries: int = 3
    """How many times a request is repeated before its error is raised."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request."""
    backoff: Backoff = field(default_factory=Backoff)
    max_retry_after_seconds: float = 120.0
    """A server that asks to wait longer than this gets its error raised instead."""
    stall_seconds: float = 45.0
    """How long a stream may be silent, heartbeats included, before it counts as broken."""

    @property
    def server(self) -> str:
        """The server's address as errors name it: without a user's name and password."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def request_headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        # Not as a bearer token: Authorization may be needed for a proxy in front of the server.
        return {**self.headers, "X-API-Key": self.api_key}


def resolve_options(
    api_key: str | None,
    base_url: str | None,
    *,
    timeout_seconds: float = 30.0,
    max_retries: int = 3,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
    stall_seconds: float = 45.0,
) -> ClientOptions:
    """Return the options for what a client was made with; the environment fills the gaps.

    Raises:
        ConfigurationError: no API key is given or set, or a value cannot be used.
    """
    key = (api_key if api_key is not None else os.environ.get(API_KEY_VARIABLE, "")).strip()
    if not key:
        raise ConfigurationError(f"No API key: pass api_key or set {API_KEY_VARIABLE}.")
    if not _HEADER_VALUE.fullmatch(key):
        raise ConfigurationError("The API key holds characters that no API key has.")
    if timeout_seconds <= 0 or stall_seconds <= 0:
        raise ConfigurationError("timeout_seconds and stall_seconds must be more than 0.")
    if max_retries < 0:
        raise ConfigurationError("max_retries must be 0 or more.")
    url = base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    return ClientOptions(
        api_key=key,
        base_url=api_url(url),
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
        headers=dict(headers or {}),
        backoff=backoff or Backoff(),
        stall_seconds=stall_seconds,
    )


def api_url(base_url: str) -> str:
    """Return where the API begins on the server that *base_url* names.

    The address of a server (``http://127.0.0.1:8000``) gets ``/api/v1`` added; one that ends in
    ``/v1`` already says where (``https://api.example.com/v1``).

    Raises:
        ConfigurationError: it is no ``http`` or ``https`` URL.
    """
    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            f"The base URL {_shown(base_url)!r} is no URL of a server; "
            f"use one like {DEFAULT_BASE_URL}."
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/v1"):
        path += _API_PATH
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _shown(base_url: str) -> str:
    """Return *base_url* without what may be a password."""
    return re.sub(r"//[^/]*@", "//…@", base_url)[:200]
