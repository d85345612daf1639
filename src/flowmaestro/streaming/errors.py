"""What streaming raises.

::

    StreamingError
    ├── HubClosed        the server is shutting down
    ├── LogGap           the log did not give the events that follow a cursor
    └── TooManyStreams   as many are open as may be
"""

from __future__ import annotations


class StreamingError(Exception):
    """The root of what streaming raises."""


class HubClosed(StreamingError):
    """The hub takes no more readers: the server is shutting down."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down and opens no more streams.")


class LogGap(StreamingError):
    """The events right after *cursor* are not to be had from the log, though newer ones are there.

    A stream ends on it: its reader resumes, and is then told what is wrong.
    """

    def __init__(self, cursor: int, found: int | None) -> None:
        what = "nothing" if found is None else f"number {found}"
        super().__init__(f"After number {cursor} the log gave {what}.")
        self.cursor = cursor
        self.found = found


class TooManyStreams(StreamingError):
    """*limit* streams are open, of one owner or in all, and there may be no more."""

    def __init__(self, limit: int, *, of_owner: bool) -> None:
        super().__init__(
            f"{limit} streams are open{' for this owner' if of_owner else ''} already."
        )
        self.limit = limit
        self.of_owner = of_owner
