"""What an operator can set, by environment variable or in code."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from flowmaestro.main.setting_errors import PREFIX, SECRET_PREFIX, InvalidSettings, descriptions
from flowmaestro.main.setting_values import require_host_pattern, require_origin
from flowmaestro.nodes.outbound.allowed import AllowedNetworks

__all__ = [
    "DEFAULT_PROVIDER",
    "MIN_SECRET_LENGTH",
    "PREFIX",
    "InvalidSettings",
    "ProviderSettings",
    "Settings",
    "load_settings",
    "unknown_variables",
]

CLIENT_VARIABLES = frozenset({f"{PREFIX}API_KEY", f"{PREFIX}BASE_URL"})
"""What the SDK and the command line read, which is no setting of a server."""
DEFAULT_PROVIDER = "openai"
MIN_SECRET_LENGTH = 8
"""Secrets are redacted wherever they appear: a shorter one would stand in ordinary texts too."""

_TOO_SHORT = (
    f"a secret must have at least {MIN_SECRET_LENGTH} characters, "
    "since it is redacted wherever it appears"
)


class ProviderSettings(BaseModel):
    """An OpenAI-compatible endpoint that the model nodes may name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where its API begins; ``None`` is OpenAI's own."""
    api_key: SecretStr | None = None


class Settings(BaseSettings):
    """The settings of a server. Each is read from ``FLOWMAESTRO_`` and its name in capitals.

    Lists are JSON or separated by commas. A secret that nodes may use is
    ``FLOWMAESTRO_SECRET_NAME=value``, or a member of the JSON object ``FLOWMAESTRO_SECRETS``. An
    empty variable is none.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        populate_by_name=True,
        env_ignore_empty=True,
    )

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes any free port.")
    database: str = Field(default="sqlite:///flowmaestro.db", min_length=1)
    max_database_bytes: int | None = Field(default=None, ge=1_000_000)
    """The size at which the database counts as full; ``None``: when the disk is."""
    nodes: Annotated[tuple[str, ...], NoDecode] = ()
    """Python modules whose node types and functions are added."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] | None = None
    """``None``: text on a terminal, JSON elsewhere."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    metrics_enabled: bool = True
    docs_enabled: bool = True
    web_enabled: bool = True
    max_body_bytes: int = Field(default=2 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)
    request_timeout_seconds: float = Field(default=30.0, gt=0, le=3600)
    """How long a request's head may take to arrive, and its body when it comes in a trickle."""
    max_connections: int | None = Field(default=None, ge=1)
    """The most connections that may be open, streams among them; ``None``: as many as the file
    descriptors allow."""

    heartbeat_seconds: float = Field(default=15.0, gt=0, le=3600)
    stalled_reader_seconds: float = Field(default=60.0, gt=0, le=3600)
    stream_buffer_bytes: int = Field(default=256 * 1024, ge=1024)
    """The most that waits in memory for one reader of a stream."""
    max_streams: int | None = Field(default=None, ge=1)
    """The most streams that may be open; ``None``: as many as the file descriptors allow."""
    max_streams_per_key: int | None = Field(default=10_000, ge=1)
    """The most streams that one API key may have open."""
    key_recheck_seconds: float = Field(default=2.0, ge=0.05, le=60)
    """How long a revoked or expired key may go on opening streams, and its streams go on."""

    retention_days: float | None = Field(default=None, ge=0)
    """All events of executions that ended longer ago are removed; ``None``: age is no reason."""
    retention_max_events: int | None = Field(default=None, ge=0)
    """Of each ended execution at most so many events are kept, the newest; ``None``: any number.
    It and ``retention_days`` are two rules; either is enough to remove an event."""
    retention_interval_seconds: float = Field(default=3600.0, gt=0)

    max_concurrent_nodes: int = Field(default=256, ge=1)
    max_concurrent_executions: int = Field(default=1000, ge=1)
    max_unfinished_executions: int = Field(default=100_000, ge=1)
    max_execution_bytes: int = Field(default=32 * 1024 * 1024, ge=1_000_000)
    """What one execution may hold in memory: outputs and items as JSON, and for each iteration that
    may be open at once 1,000 bytes, and 300 more for each of its nodes."""
    max_execution_nodes: int = Field(default=1_000_000, ge=1)
    """The nodes that one execution may have, each iteration's counted."""
    max_starting_executions: int = Field(default=500, ge=1)
    """Executions that may be on their way from a request to their first event."""
    max_start_delay_seconds: float | None = Field(default=1.0, gt=0)
    """How long that way may get before new executions are refused; once it has been longer than a
    tenth of it for that long, until it is shorter again, that tenth. ``None``: any time."""
    max_large_bodies_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """Of all request bodies over 64 KiB together, while their requests are answered; one of
    ``max_body_bytes`` always has room if it is alone."""
    max_concurrent_requests: int = Field(default=1_000, ge=1)
    """Requests that are answered at once; streams and long polls are not counted."""
    node_timeout_seconds: float | None = Field(default=3600.0, gt=0)
    execution_timeout_seconds: float | None = Field(default=None, gt=0)

    http_allowed_networks: Annotated[tuple[str, ...] | None, NoDecode] = None
    """What ``http`` nodes may reach besides public addresses: addresses, networks, ``loopback``,
    ``private``, or ``*`` for everything. ``None``: nothing on a server, everything in a run without
    one, whose author is its operator."""
    trace_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts to which ``http`` nodes send a ``traceparent`` header; ``*`` stands for anything."""

    providers: Annotated[dict[str, ProviderSettings], NoDecode] = Field(
        default_factory=dict, repr=False
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias="OPENAI_BASE_URL", pattern=r"^https?://"
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    secrets: Annotated[dict[str, SecretStr], NoDecode] = Field(default_factory=dict, repr=False)

    shutdown_grace_seconds: float = Field(default=6.0, ge=0, le=7)
    """How long running nodes may take to finish when the server stops. The rest of the ten seconds
    that stopping may take belongs to the streams, the storage and a margin."""

    @field_validator("nodes", "cors_origins", "http_allowed_networks", "trace_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except json.JSONDecodeError as error:
                raise ValueError(f"is no JSON list ({error})") from error
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("providers", "secrets", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"is no JSON object ({error})") from None

    @field_validator("secrets")
    @classmethod
    def _long_secrets(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if len(secret.get_secret_value()) < MIN_SECRET_LENGTH:
                raise ValueError(f"{name}: {_TOO_SHORT}")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            require_origin(origin)
        return value

    @field_validator("http_allowed_networks")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        AllowedNetworks.parse(value or ())
        return value

    @field_validator("trace_hosts")
    @classmethod
    def _check_trace_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            require_host_pattern(host)
        return value

    def secret_values(self) -> list[str]:
        """Return all that no log line may hold: the secrets, and the providers' keys, but for
        those that are none (a local provider takes any word) and would stand in ordinary texts."""
        keys = (found.api_key for found in self.providers.values() if found.api_key is not None)
        values = [value.get_secret_value() for value in (*self.secrets.values(), *keys)]
        return [value for value in values if len(value) >= MIN_SECRET_LENGTH]

    @model_validator(mode="after")
    def _one_default_provider(self) -> Self:
        self.providers.setdefault(
            DEFAULT_PROVIDER,
            ProviderSettings(base_url=self.openai_base_url, api_key=self.openai_api_key),
        )
        return self


def load_settings(environment: Mapping[str, str] = os.environ, **overrides: Any) -> Settings:
    """Return the settings that *environment* and *overrides* (which win) give.

    An override of ``None`` is none. ``FLOWMAESTRO_SECRET_NAME`` variables are read from
    *environment*, everything else from the process's own.

    Raises:
        InvalidSettings: settings are wrong; its ``problems`` are all of them.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    named = {
        name.removeprefix(SECRET_PREFIX): SecretStr(value)
        for name, value in environment.items()
        if name.startswith(SECRET_PREFIX) and name != SECRET_PREFIX and value
    }
    problems = [
        f"{SECRET_PREFIX}{name}: {_TOO_SHORT}"
        for name, secret in named.items()
        if len(secret.get_secret_value()) < MIN_SECRET_LENGTH
    ]
    try:
        settings = Settings(**given)
    except ValidationError as error:
        # The cause would show the values.
        raise InvalidSettings(*descriptions(error), *problems) from None
    if problems:
        raise InvalidSettings(*problems)
    return settings.model_copy(update={"secrets": {**settings.secrets, **named}})


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the variables of *environment* that look like settings and are none, each with the one
    that may have been meant."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | CLIENT_VARIABLES
    unknown = [
        name
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not name.startswith(SECRET_PREFIX)
    ]
    meant = [difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in unknown]
    return [
        f"{name} (did you mean {close[0]}?)" if close else name
        for name, close in zip(unknown, meant, strict=True)
    ]
