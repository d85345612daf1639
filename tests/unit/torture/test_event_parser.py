"""The harness's own reading of Server-Sent Events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torture.wire import EventParser, SentEvent, WireError, parse_head

STREAM = (
    b": hello\nevent: connected\ndata: {}\nretry: 5\n\nid: 1\nevent: a\ndata: x\ndata:y\n\n: \n\n"
)
EVENTS = [SentEvent(None, "connected", b"{}"), SentEvent("1", "a", b"x\ny")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    parser = EventParser()
    places = [0, *sorted(cuts), len(STREAM)]

    found = [event for start, end in pairwise(places) for event in parser.feed(STREAM[start:end])]

    assert found == EVENTS


@given(st.integers(0, len(STREAM) - 1))
def test_what_is_cut_off_is_no_event(length: int) -> None:
    found = EventParser().feed(STREAM[:length])

    assert found == EVENTS[: len(found)]
    assert len(found) == STREAM[:length].count(b"\n\n") - STREAM[:length].count(b": \n\n")


def test_a_line_that_is_no_field_is_refused() -> None:
    with pytest.raises(WireError, match="no field"):
        EventParser().feed(b"<html>\n")


def test_a_head_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX: a:b\r\n\r\n"

    assert parse_head(head) == (200, {"content-type": "text/event-stream", "x": "a:b"})


@pytest.mark.parametrize(
    "head", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"]
)
def test_what_is_no_head_is_refused(head: bytes) -> None:
    with pytest.raises(WireError):
        parse_head(head)
