"""What streaming raises.

::

    StreamingError
    ├── HubClosed   the server is shutting down
    └── LogGap      the log did not give the events that follow a cursor
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
