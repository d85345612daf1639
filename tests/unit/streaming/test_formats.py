from __future__ import annotations

from datetime import UTC, datetime

from flowmaestro.events import Connected, SSEDecoder, encode_event
from flowmaestro.streaming import JSON_LINES, SERVER_SENT_EVENTS

CONNECTED = Connected(
    execution_id="exec_1",
    timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    status="running",
    last_event_id=7,
)


def test_server_sent_events_are_read_back_by_a_decoder() -> None:
    decoder = SSEDecoder()
    stream = (
        SERVER_SENT_EVENTS.opening(CONNECTED, 1500)
        + SERVER_SENT_EVENTS.heartbeat
        + SERVER_SENT_EVENTS.frame(8, "node:log", '{"a":1}')
        + SERVER_SENT_EVENTS.closing(700)
    )
    events = [(event.event, event.id, event.data) for event in decoder.feed(stream)]
    assert events == [
        ("connected", "", encode_event(CONNECTED)),
        ("node:log", "8", '{"a":1}'),
    ]
    assert decoder.retry_ms == 700


def test_json_lines_are_the_data_and_blank_lines() -> None:
    stream = (
        JSON_LINES.opening(CONNECTED, 1500)
        + JSON_LINES.heartbeat
        + JSON_LINES.frame(8, "node:log", '{"é":1}')
        + JSON_LINES.closing(700)
    )
    assert stream.decode().split("\n") == [encode_event(CONNECTED), "", '{"é":1}', ""]
