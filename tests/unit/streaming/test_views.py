from __future__ import annotations

from flowmaestro.events import EVENT_TYPES, EXTENSION_TYPES, TERMINAL_TYPES
from flowmaestro.storage import LogRecord
from flowmaestro.streaming import (
    JSON_LINES,
    SERVER_SENT_EVENTS,
    Batch,
    View,
    render,
    visible_types,
)

RECORDS = [
    LogRecord(4, "node:started", '{"a":1}'),
    LogRecord(5, "node:log", '{"b":2}'),
    LogRecord(6, "execution:completed", '{"é":3}'),
]


def test_extensions_are_off_unless_included() -> None:
    assert visible_types() == frozenset(EVENT_TYPES) - EXTENSION_TYPES
    assert visible_types(include=["node:log"]) - visible_types() == {"node:log"}


def test_a_filter_keeps_what_it_names_and_what_ends_a_log() -> None:
    assert visible_types(["node:started"]) == {"node:started"} | TERMINAL_TYPES


def test_a_filter_turns_no_extension_on() -> None:
    assert visible_types(["node:log"]) == TERMINAL_TYPES
    assert "node:log" in visible_types(["node:log"], ["node:log"])


def test_records_are_rendered_as_frames_of_the_view() -> None:
    visible = visible_types()
    assert render(RECORDS, View(SERVER_SENT_EVENTS, visible)) == (
        'id: 4\nevent: node:started\ndata: {"a":1}\n\n'
        'id: 6\nevent: execution:completed\ndata: {"é":3}\n\n'.encode(),
        2,
    )
    assert render(RECORDS, View(JSON_LINES, visible)) == ('{"a":1}\n{"é":3}\n'.encode(), 2)


def test_a_batch_shows_each_view_what_rendering_its_records_would() -> None:
    batch = Batch(RECORDS)
    for format_ in (SERVER_SENT_EVENTS, JSON_LINES):
        for types in (None, ["node:completed"]):
            for include in ((), ("node:log",)):
                view = View(format_, visible_types(types, include))
                assert batch.chunk(view) == render(RECORDS, view)
    assert (batch.first, batch.last, batch.ended) == (4, 6, True)


class CountingFormat:
    """JSON lines, counting how many were made."""

    heartbeat = JSON_LINES.heartbeat
    opening = JSON_LINES.opening
    closing = JSON_LINES.closing

    def __init__(self) -> None:
        self.frames = 0

    def frame(self, number: int, type_: str, data: str, /) -> bytes:
        self.frames += 1
        return JSON_LINES.frame(number, type_, data)


def test_a_batch_encodes_each_event_once_for_all_views_of_a_format() -> None:
    format_ = CountingFormat()
    batch = Batch(RECORDS)
    for view in (View(format_, visible_types()), View(format_, visible_types(["node:started"]))):
        batch.chunk(view)
    assert format_.frames == len(RECORDS)


def test_a_batch_of_hidden_events_shows_nothing() -> None:
    batch = Batch(RECORDS[1:2])
    assert batch.chunk(View(SERVER_SENT_EVENTS, visible_types())) == (b"", 0)
