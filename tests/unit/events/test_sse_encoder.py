from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.events import (
    HEARTBEAT,
    Connected,
    NodeLog,
    ServerSentEvent,
    SSEDecoder,
    decode_event,
    encode_connected,
    encode_event,
    encode_frame,
    encode_retry,
)
from tests.support.events_vectors import read_vectors


def _encode(vector: dict[str, Any]) -> bytes:
    match vector["kind"]:
        case "frame":
            return encode_frame(vector["number"], vector["event"], vector["data"])
        case "connected":
            return encode_connected(Connected(**vector["data"]), vector["retry_ms"])
        case "retry":
            return encode_retry(vector["retry_ms"])
        case "heartbeat":
            return HEARTBEAT
        case kind:
            raise AssertionError(f"unknown kind {kind}")


@pytest.mark.parametrize("vector", read_vectors("sse-encode")["vectors"], ids=lambda v: v["name"])
def test_encode_vector(vector: dict[str, Any]) -> None:
    if vector.get("invalid"):
        with pytest.raises(ValueError):
            _encode(vector)
    else:
        assert _encode(vector) == vector["frame"].encode()


@given(number=st.integers(1, 2**53 - 1), message=st.text())
def test_hostile_text_in_an_event_comes_back_from_its_frame(number: int, message: str) -> None:
    event = NodeLog(
        execution_id="exec_01",
        timestamp=datetime(2025, 3, 1, tzinfo=UTC),
        node_id=message,
        level="info",
        message=message,
        number=number,
    )
    frame = encode_frame(number, event.type, encode_event(event))

    [received] = SSEDecoder().feed(frame)

    assert (received.event, received.id) == ("node:log", str(number))
    assert decode_event(received.data, int(received.id)) == event


@given(type_=st.text(), data=st.text(min_size=1))
def test_no_text_forges_a_frame(type_: str, data: str) -> None:
    try:
        frame = encode_frame(7, type_, data)
    except ValueError:
        assert {"\r", "\n"} & set(type_ + data)
    else:
        assert SSEDecoder().feed(frame) == [ServerSentEvent(type_ or "message", data, "7")]


def test_a_lone_surrogate_is_refused_instead_of_sent_as_broken_utf8() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        encode_frame(1, "node:log", '"\ud800"')


def test_frames_without_an_id_move_no_cursor() -> None:
    decoder = SSEDecoder()
    decoder.feed(encode_frame(3, "node:log", "{}"))
    connected = Connected(
        execution_id="exec_01",
        timestamp=datetime(2025, 3, 1, tzinfo=UTC),
        status="running",
        last_event_id=9,
    )

    events = decoder.feed(encode_connected(connected, 250) + HEARTBEAT + encode_retry(4000))

    assert [event.event for event in events] == ["connected"]
    assert decoder.last_event_id == "3"
    assert decoder.retry_ms == 4000
