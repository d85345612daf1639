from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.api.stream.accept import choose, parse_accept

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"
OFFERED = (SSE, NDJSON, JSON)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", SSE),
        ("*/*", SSE),
        ("text/event-stream", SSE),
        ("TEXT/Event-Stream; charset=utf-8", SSE),
        ("text/*", SSE),
        ("application/json", JSON),
        ("application/x-ndjson", NDJSON),
        ("application/*", NDJSON),
        ("application/json, text/plain, */*", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", SSE),
        ("application/json;q=0.5, application/x-ndjson;q=0.6", NDJSON),
        ("application/json;q=0.5, text/event-stream ; q=0.4", JSON),
        ("text/event-stream;q=0, */*", NDJSON),
        ("*/*;q=0.1, application/json;q=0", SSE),
        ("text/html", None),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
        ("nonsense", SSE),
        ("nonsense, application/json", JSON),
        ("application/json;q=7, application/x-ndjson", NDJSON),
        ("application/json;q=\x1d0.8, text/event-stream;q=0.7", JSON),
        (",,", SSE),
    ],
)
def test_the_preferred_media_type_is_chosen(header: str, chosen: str | None) -> None:
    assert choose(header, OFFERED) == chosen


@given(st.text())
def test_no_header_is_too_strange(header: str) -> None:
    assert choose(header, OFFERED) in (*OFFERED, None)


@given(st.lists(st.tuples(st.sampled_from((*OFFERED, "text/html")), st.integers(0, 1000))))
def test_what_was_written_is_what_is_parsed(entries: list[tuple[str, int]]) -> None:
    header = ", ".join(f"{name};q={quality / 1000:.3f}" for name, quality in entries)
    parsed = [(one.type, round(one.quality * 1000)) for one in parse_accept(header)]
    assert parsed == entries
