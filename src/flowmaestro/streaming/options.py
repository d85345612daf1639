"""The settings of streaming."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamingOptions:
    """How streams behave; the defaults suit a server behind common proxies."""

    heartbeat_seconds: float = 15.0
    """An idle stream sends a sign of life after this long."""
    stalled_reader_seconds: float = 60.0
    """A reader that takes nothing for this long is dropped."""
    buffer_bytes: int = 256 * 1024
    """The most that waits in memory for one reader; past it the reader falls behind and is served
    from the log. Frames are shared between readers, so what it really costs is less."""
    page_records: int = 1_000
    """The most events that are read from the log at once."""
    page_bytes: int = 128 * 1024
    """What is read from the log and handed to one reader at once; a single event may be larger."""
    min_retry_ms: int = 500
    max_retry_ms: int = 3_000
    """Readers are told to reconnect after a random time between these two, so that they do not
    all come back at one moment."""
    max_streams: int | None = None
    """The most streams that may be open; ``None``: any number."""
    max_streams_per_owner: int | None = None
    """The most streams that one owner may have open; ``None``: any number."""
    closing_grace_seconds: float = 2.0
    """How long a reader that takes nothing can hold up the end of its stream at shutdown."""

    def __post_init__(self) -> None:
        if min(self.heartbeat_seconds, self.stalled_reader_seconds) <= 0:
            raise ValueError("heartbeat_seconds and stalled_reader_seconds must be above 0")
        if min(self.buffer_bytes, self.page_records, self.page_bytes) < 1:
            raise ValueError("buffer_bytes, page_records and page_bytes must be 1 or more")
        for limit in (self.max_streams, self.max_streams_per_owner):
            if limit is not None and limit < 1:
                raise ValueError("max_streams and max_streams_per_owner must be 1 or more, or None")
        if not 0 <= self.min_retry_ms <= self.max_retry_ms:
            raise ValueError("min_retry_ms must be 0 or more and at most max_retry_ms")
