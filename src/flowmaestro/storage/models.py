"""The values that go into storage and come out of it. All are frozen; every datetime is aware
and in UTC, with the precision of milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from flowmaestro.events.models import LoggedEvent, Status

Item = TypeVar("Item")
Environment = Literal["live", "test"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event to append. A ``key`` makes its append idempotent: an entry whose key the
    execution's log already holds is dropped."""

    event: LoggedEvent
    key: str | None = None
    data: str | None = None
    """The event's JSON, where it has been made already."""


class LogRecord(NamedTuple):  # one is made for every event, and a tuple costs least
    """An event as it is stored and streamed."""

    number: int
    """Its place in its log, from 1."""
    type: str
    data: str
    """The event's JSON on one line: exactly these characters go to every reader."""

    @property
    def size_bytes(self) -> int:
        """How long ``data`` is in UTF-8."""
        return len(self.data) if self.data.isascii() else len(self.data.encode())


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where a log stands."""

    execution_id: str
    last_number: int
    """The newest number, 0 for an empty log; trimming does not change it."""
    trimmed_through: int
    """Events up to this number were removed by retention; 0 when none were."""
    status: Status
    ended: bool
    """Whether the terminal event is in the log."""
    workspace: str
    """Whose execution it is."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What makes the repeat of a request return the first one's answer."""

    key: str
    fingerprint: str
    """A digest of the request; the same key with another fingerprint is refused."""


@dataclass(frozen=True, slots=True)
class NewExecution:
    id: str
    workspace: str
    workflow_id: str
    workflow_name: str
    definitions: Mapping[str, int]
    """The version that each workflow is pinned to, by workflow id; the executed one included."""
    inputs: Mapping[str, Any]
    created_at: datetime
    idempotency: Idempotency | None = None
    traceparent: str | None = None
    """The W3C header of the request that begins it, if it had a valid one."""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    code: str
    node_id: str | None


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution's row: the fold of its log over what it was created with."""

    id: str
    workspace: str
    workflow_id: str
    workflow_name: str
    status: Status
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    error: str | None
    error_details: ErrorDetails | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    """When it ended, however it ended."""
    duration_ms: int | None
    definitions: Mapping[str, int]
    traceparent: str | None = None
    """See :class:`NewExecution`."""

    @property
    def ended(self) -> bool:
        return self.completed_at is not None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow at its newest version."""

    id: str
    workspace: str
    name: str
    version: int
    """From 1; each replacement adds one."""
    document: dict[str, Any]
    input_schema: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowVersion:
    workflow_id: str
    version: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewKey:
    name: str
    workspace: str
    environment: Environment
    scopes: frozenset[str]
    key_hash: str = field(repr=False)
    """The hash of the key, which is all of it that is stored."""
    prefix: str
    """The key's first characters, by which its owner tells it from others."""
    created_at: datetime
    expires_at: datetime | None = None
    rate_limit_per_minute: int = 600
    """0 is none."""
    rate_limit_per_day: int = 0
    """0 is none."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: without the key, and without its hash."""

    id: str
    name: str
    workspace: str
    environment: Environment
    scopes: frozenset[str]
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rate_limit_per_minute: int
    rate_limit_per_day: int

    def usable_at(self, moment: datetime) -> bool:
        """Whether it was not revoked and has not expired at *moment*."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


@dataclass(frozen=True, slots=True)
class HashedKey:
    """A key with its hash, for those who check what was signed with it."""

    key: ApiKey
    key_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a listing, as it stood at one moment."""

    items: list[Item]
    page: int
    """From 1."""
    per_page: int
    total_count: int
