"""Frames of the event stream (WHATWG HTML §9.2.5), as the bytes that go on the wire.

A frame is encoded once and written to every reader, lines end in ``\\n``, and each frame is whole:
no reader ever has to join two of them.
"""

from __future__ import annotations

from typing import Final

from flowmaestro.events.codec import encode_event
from flowmaestro.events.models import Connected

HEARTBEAT: Final = b": heartbeat\n\n"
"""A comment: it keeps an idle connection open and tells a reader nothing."""


def encode_frame(number: int, type: str, data: str) -> bytes:  # noqa: A002 - the event's own word
    """Return the frame of a logged event.

    Args:
        number: the event's place in its log, from 1; it becomes the frame's ``id``.
        type: the event's name, such as ``node:started``.
        data: the event's JSON on one line, as :func:`encode_event` made it.

    Raises:
        ValueError: *type* or *data* holds a line break, which would let it forge a frame of its
            own, or a lone surrogate, which UTF-8 cannot hold.
    """
    if "\n" in data or "\r" in data or "\n" in type or "\r" in type:
        raise ValueError("an event's type and data are one line each: escape line breaks as JSON")
    return f"id: {number}\nevent: {type}\ndata: {data}\n\n".encode()


def encode_connected(connected: Connected, retry_ms: int) -> bytes:
    """Return the frame that opens a stream. It has no ``id``, so a reader's cursor stays as it is.

    Args:
        connected: the event.
        retry_ms: how long a reader should wait before it reconnects, in milliseconds, from 0.

    Raises:
        EventEncodeError: as :func:`encode_event` does.
        ValueError: *retry_ms* is negative.
    """
    return b"event: connected\n%bdata: %b\n\n" % (
        _retry_line(retry_ms),
        encode_event(connected).encode(),
    )


def encode_retry(retry_ms: int) -> bytes:
    """Return the frame that changes a reader's reconnection time to *retry_ms* milliseconds.

    It carries no data, so a reader dispatches no event for it.

    Raises:
        ValueError: *retry_ms* is negative.
    """
    return _retry_line(retry_ms) + b"\n"


def _retry_line(retry_ms: int) -> bytes:
    if retry_ms < 0:
        raise ValueError(f"retry_ms must be 0 or more, not {retry_ms}")
    return b"retry: %d\n" % retry_ms
