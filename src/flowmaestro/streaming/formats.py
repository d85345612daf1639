"""What a stream looks like on the wire: server-sent events or JSON lines, framed or as they are."""

from __future__ import annotations

from typing import Final, Protocol

from flowmaestro.events import (
    HEARTBEAT,
    Connected,
    encode_connected,
    encode_event,
    encode_frame,
    encode_retry,
)


class Format(Protocol):
    """One way to put a stream into bytes. A format holds no state, so one serves every stream."""

    @property
    def heartbeat(self) -> bytes:
        """What an idle stream sends; a reader passes over it."""

    def opening(self, connected: Connected, retry_ms: int) -> bytes:
        """Return what comes first."""

    def frame(self, number: int, type_: str, data: str, /) -> bytes:
        """Return a logged event: its number, its type and its JSON on one line."""

    def closing(self, retry_ms: int) -> bytes:
        """Return what comes last when the server ends a stream that is not at its end."""


class ServerSentEvents:
    """``text/event-stream`` (WHATWG HTML §9.2)."""

    heartbeat: bytes = HEARTBEAT
    opening = staticmethod(encode_connected)
    frame = staticmethod(encode_frame)
    closing = staticmethod(encode_retry)


class JsonLines:
    """``application/x-ndjson``: the same JSON objects, one a line.

    A blank line is the sign of life. There is no word for the reconnection time: a stream that
    ends without a terminal event was cut off.
    """

    heartbeat: bytes = b"\n"

    def opening(self, connected: Connected, retry_ms: int) -> bytes:  # noqa: ARG002
        return encode_event(connected).encode() + b"\n"

    def frame(self, number: int, type_: str, data: str, /) -> bytes:  # noqa: ARG002
        return data.encode() + b"\n"

    def closing(self, retry_ms: int) -> bytes:  # noqa: ARG002
        return b""


class Framing(Protocol):
    """How the transport below marks where a stream's parts, and the stream itself, end. Stateless,
    as a format is."""

    @property
    def end(self) -> bytes:
        """What comes after the last part."""

    def wrap(self, body: bytes, /) -> bytes:
        """Return a part that holds *body*, which is not empty."""


class Unframed:
    """The bytes as they are: whoever sends them frames them, or the end of the connection does."""

    end: bytes = b""

    def wrap(self, body: bytes, /) -> bytes:
        return body


class Chunked:
    """HTTP/1.1's chunked transfer coding (RFC 9112 §7.1)."""

    end: bytes = b"0\r\n\r\n"

    def wrap(self, body: bytes, /) -> bytes:
        return b"%x\r\n%b\r\n" % (len(body), body)


SERVER_SENT_EVENTS: Final[Format] = ServerSentEvents()
JSON_LINES: Final[Format] = JsonLines()
UNFRAMED: Final[Framing] = Unframed()
CHUNKED: Final[Framing] = Chunked()
