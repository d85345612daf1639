from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.events import ServerSentEvent, SSEDecoder, SSEEventTooLarge
from tests.support.events_vectors import chunk_bytes, read_vectors
from tests.support.sse_reference import Outcome, reference


def decode(chunks: Iterable[bytes]) -> Outcome:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder.last_event_id, decoder.retry_ms


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[index : index + 1] for index in range(len(stream))]


DECODE_VECTORS = read_vectors("sse-decode")["vectors"]


@pytest.mark.parametrize("vector", DECODE_VECTORS, ids=lambda v: v["name"])
def test_decode_vector(vector: dict[str, Any]) -> None:
    expected = (
        [ServerSentEvent(**event) for event in vector["events"]],
        vector["last_event_id"],
        vector["retry_ms"],
    )
    chunks = [chunk_bytes(chunk) for chunk in vector["chunks"]]
    stream = b"".join(chunks)

    assert decode(chunks) == expected
    assert decode([stream]) == expected
    assert decode(one_by_one(stream)) == expected


@pytest.mark.parametrize(
    "vector", [v for v in DECODE_VECTORS if "events_after_chunk" in v], ids=lambda v: v["name"]
)
def test_decode_vector_dispatches_as_soon_as_it_can(vector: dict[str, Any]) -> None:
    decoder = SSEDecoder()
    total = 0
    totals = []
    for chunk in vector["chunks"]:
        total += len(decoder.feed(chunk_bytes(chunk)))
        totals.append(total)

    assert totals == vector["events_after_chunk"]


# Pieces that mean something to the parser, so that random streams are more than one long comment.
pieces = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\n\n", b":", b": ", b" ", b"\0", b"\xef\xbb\xbf"),
        *(b"data", b"data:", b"data: ", b"event: ", b"id: ", b"id", b"retry: ", b"retry: 12\n"),
        *(b"data: x\n\n", b"id: 5\n\n", b"7", "\u00b2\u0661\u2028".encode()),
        *("\u00e9".encode(), "\U0001f600".encode(), b"\xf0\x9f", b"\xe2\x82", b"\xff", b"\xed\xa0"),
    ]
)
streams = st.lists(pieces | st.binary(max_size=4), max_size=40).map(b"".join)


@given(stream=streams, cuts=st.lists(st.integers(0, 200), max_size=20))
def test_any_stream_cut_anywhere_is_decoded_as_the_standard_says(
    stream: bytes, cuts: list[int]
) -> None:
    expected = reference(stream)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    assert decode([stream]) == expected
    assert decode(one_by_one(stream)) == expected
    assert decode(stream[a:b] for a, b in pairwise(bounds)) == expected


sent_events = st.lists(
    st.tuples(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1),
        st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])),
        st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])),
    ),
    max_size=8,
)


@given(
    sent=sent_events,
    line_end=st.sampled_from([b"\n", b"\r", b"\r\n"]),
    size=st.integers(1, 64),
)
def test_events_come_back_as_they_were_sent(
    sent: list[tuple[str, str, str]], line_end: bytes, size: int
) -> None:
    stream = b""
    for type_, data, id_ in sent:
        lines = [f"event: {type_}", f"id: {id_}", *(f"data: {line}" for line in data.split("\n"))]
        stream += b"".join(line.encode() + line_end for line in [*lines, ""])

    events, _, _ = decode(stream[at : at + size] for at in range(0, len(stream), size))

    assert events == [ServerSentEvent(*event) for event in sent]


def feed_until_error(decoder: SSEDecoder, chunks: Iterable[bytes]) -> list[ServerSentEvent]:
    events: list[ServerSentEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
    except SSEEventTooLarge as error:
        return events + error.events
    raise AssertionError("the decoder took it all")


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b"data: " + b"x" * 200, id="a line that never ends"),
        pytest.param(b": " + b"x" * 200, id="a comment that never ends"),
        pytest.param(b"event: " + b"x" * 200 + b"\n", id="a long name"),
        pytest.param(b"id: " + b"x" * 200 + b"\n", id="a long id"),
        pytest.param(b"data\n" * 30, id="an event that never ends"),
        pytest.param(b"data: x\n" * 30 + b"\n", id="an event of many lines"),
        pytest.param(b"data: " + b"x" * 200 + b"\n\ndata: b\n\n", id="an event that does end"),
    ],
)
def test_an_event_over_the_limit_is_an_error_that_keeps_the_events_before_it(
    hostile: bytes,
) -> None:
    stream = b"data: a\n\n" + hostile

    for chunks in ([stream], one_by_one(stream)):
        events = feed_until_error(SSEDecoder(max_event_bytes=100), chunks)
        assert events == [ServerSentEvent("message", "a", "")]


def test_the_limit_counts_the_data_lines_of_one_event_with_their_ends() -> None:
    decoder = SSEDecoder(max_event_bytes=100)
    exact = b"data: " + b"x" * 43 + b"\n"  # 50 bytes

    assert len(decoder.feed((exact * 2 + b"\n") * 3)) == 3
    with pytest.raises(SSEEventTooLarge) as caught:
        decoder.feed(exact * 2 + b"data\n")
    assert caught.value.limit_bytes == 100


def test_comments_without_end_are_no_event_and_no_error() -> None:
    decoder = SSEDecoder(max_event_bytes=100)

    assert decoder.feed(b"data: a\n" + b": heartbeat\n" * 1000 + b"\n") == [
        ServerSentEvent("message", "a", "")
    ]


def test_a_long_line_in_small_chunks_is_searched_once() -> None:
    # A decoder that searched or copied what it holds with each chunk would take minutes.
    decoder = SSEDecoder()
    decoder.feed(b"data: ")
    for _ in range(80_000):
        decoder.feed(b"x" * 100)

    [event] = decoder.feed(b"\n\n")

    assert len(event.data) == 8_000_000
