"""An incremental decoder of event streams: WHATWG HTML §9.2.6 (parsing and interpreting an event
stream), to the letter and without I/O.

It works on bytes: line breaks and colons are ASCII, which no multibyte UTF-8 character contains, so
only whole field values are ever decoded and a character cut by a chunk boundary needs no care.
"""

from __future__ import annotations

from typing import Final, NamedTuple

DEFAULT_MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
MAX_RETRY_MS: Final = 2**53 - 1
"""A longer reconnection time is taken for this one."""

_BOM: Final = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event of a stream, as a browser's ``EventSource`` would dispatch it."""

    event: str
    """The event's name; ``message`` if the stream did not say."""
    data: str
    id: str
    """The last ``id`` that the stream sent up to this event; empty if it sent none."""


class SSEEventTooLarge(ValueError):
    """A line, or the data of one event, is longer than the decoder may hold.

    ``limit_bytes`` is the limit; ``events`` are those that the same chunk completed before.
    """

    def __init__(self, limit_bytes: int, events: list[ServerSentEvent]) -> None:
        self.limit_bytes = limit_bytes
        self.events = events
        super().__init__(
            f"the stream sent an event of more than {limit_bytes} bytes: "
            "raise the limit if the server is to be trusted"
        )


class SSEDecoder:
    """Turns the bytes of one response into events, however they are cut into chunks.

    An event that the stream breaks off in is never told: drop the decoder at the end of the
    response, and use a new one for the next.
    """

    last_event_id: str
    """The id that a reconnecting client sends as ``Last-Event-ID``; empty for none."""
    retry_ms: int | None
    """The reconnection time that the stream asked for last, in milliseconds."""

    def __init__(self, *, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES) -> None:
        """
        Args:
            max_event_bytes: how long one line, and the ``data`` lines of one event together (each
                counted with its field name and one byte for its end), may be.
        """
        self.last_event_id = ""
        self.retry_ms = None
        self._max_event_bytes = max_event_bytes
        self._head: bytes | None = b""  # the stream's first bytes while they may be a BOM
        self._skip_line_feed = False  # the last chunk ended in CR: a first LF belongs to it
        self._line = bytearray()  # the beginning of a line whose end has not come yet
        self._data: list[bytes] = []  # values of the event that a blank line will end
        self._data_bytes = 0
        self._event_type = ""
        self._id = ""  # becomes last_event_id at the next blank line, not before

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take the next bytes of the response and return the events they complete.

        Raises:
            SSEEventTooLarge: the stream is over the limit; the decoder is of no more use.
        """
        if self._head is not None:
            chunk = self._strip_bom(self._head + chunk)
        if not chunk:
            return []
        if self._skip_line_feed:
            self._skip_line_feed = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if not end:
            self._hold(chunk, [])
            return []
        self._skip_line_feed = chunk.endswith(b"\r")
        lines = chunk[:end]
        if self._line:
            lines = bytes(self._line) + lines
            self._line.clear()
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[ServerSentEvent] = []
        self._interpret(lines[:-1].split(b"\n"), events)
        self._hold(chunk[end:], events)
        return events

    def _strip_bom(self, head: bytes) -> bytes:
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)

    def _hold(self, rest: bytes, events: list[ServerSentEvent]) -> None:
        self._line += rest
        if len(self._line) > self._max_event_bytes:
            raise SSEEventTooLarge(self._max_event_bytes, events)

    def _interpret(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        limit = self._max_event_bytes
        for line in lines:
            if not line:
                self._dispatch(events)
                continue
            size = len(line)
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                self._data.append(value)
                self._data_bytes += size + 1
                size = self._data_bytes
            elif field == b"event":
                self._event_type = value.decode("utf-8", "replace")
            elif field == b"id":
                if b"\0" not in value:
                    self._id = value.decode("utf-8", "replace")
            elif field == b"retry" and value.isdigit():
                # int() refuses thousands of digits, and a float of them would be infinite.
                digits = value.lstrip(b"0")[:17] or b"0"
                self.retry_ms = min(int(digits), MAX_RETRY_MS)
            if size > limit:
                raise SSEEventTooLarge(limit, events)

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id
        data = self._data
        if data:
            # One decode for all lines: a sequence cut short by the line feed ends there as well.
            text = (data[0] if len(data) == 1 else b"\n".join(data)).decode("utf-8", "replace")
            events.append(ServerSentEvent(self._event_type or "message", text, self._id))
            data.clear()
            self._data_bytes = 0
        self._event_type = ""
