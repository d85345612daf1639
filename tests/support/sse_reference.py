"""A decoder of event streams that is nothing but the standard's algorithm, to compare ours with."""

from __future__ import annotations

import re

from flowmaestro.events import ServerSentEvent
from flowmaestro.events.sse_decoder import MAX_RETRY_MS

Outcome = tuple[list[ServerSentEvent], str, int | None]
"""The events, the last event id, and the reconnection time in milliseconds."""


def reference(stream: bytes) -> Outcome:
    """WHATWG HTML §9.2.6, step by step, over the whole text of a stream that has ended."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    # Text after the last line ending is a line that the end of the file broke off.
    lines = re.split("\r\n|\r|\n", text)[:-1]
    events: list[ServerSentEvent] = []
    last_event_id = ""
    retry_ms = None
    data_buffer = event_type_buffer = last_event_id_buffer = ""
    for line in lines:
        if line == "":
            last_event_id = last_event_id_buffer
            if data_buffer != "":
                event_type = event_type_buffer or "message"
                events.append(ServerSentEvent(event_type, data_buffer[:-1], last_event_id))
            data_buffer = event_type_buffer = ""
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event_type_buffer = value
        elif field == "data":
            data_buffer += value + "\n"
        elif field == "id" and "\0" not in value:
            last_event_id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry_ms = min(int(value), MAX_RETRY_MS)
    return events, last_event_id, retry_ms
