"""The settings of storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How storage uses its database; the defaults suit a server.

    A full queue makes writers wait, which is how a slow disk slows down who writes to it.
    """

    busy_timeout_ms: int = 5_000
    """How long to wait for another process's lock before it is ``StorageUnavailable``."""
    reader_threads: int = 4
    max_event_bytes: int = 1_048_576
    """The longest event (its JSON in UTF-8) that the log takes."""
    max_group_events: int = 1_000
    """The most events that share one transaction; a longer append has one to itself."""
    max_queued_writes: int = 10_000
    max_queued_bytes: int = 32 * 1024 * 1024
    max_page_bytes: int = 4 * 1024 * 1024
    """A page of the log is cut when it grows past this, so that memory stays bounded."""
    max_database_bytes: int | None = None
    """The size at which the database counts as full; ``None``: when the disk is."""
    idempotency_lifetime: timedelta = timedelta(hours=24)
    """How long an idempotency key answers with the first request's execution."""
    clock: Callable[[], datetime] = utc_now
