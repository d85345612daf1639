from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.events import MAX_CURSOR, InvalidCursor, parse_cursor
from tests.support.events_vectors import read_vectors


@pytest.mark.parametrize("vector", read_vectors("cursor")["vectors"], ids=lambda v: repr(v["text"]))
def test_cursor_vector(vector: dict[str, Any]) -> None:
    if vector.get("invalid"):
        with pytest.raises(InvalidCursor):
            parse_cursor(vector["text"])
    else:
        assert parse_cursor(vector["text"]) == vector["number"]


@given(st.integers(0, MAX_CURSOR))
def test_every_number_up_to_the_largest_is_a_cursor(number: int) -> None:
    assert parse_cursor(str(number)) == number


@given(st.text(max_size=20))
def test_any_text_is_a_number_in_range_or_refused(text: str) -> None:
    try:
        assert 0 <= parse_cursor(text) <= MAX_CURSOR
    except InvalidCursor:
        assert not (text.isascii() and text.isdigit() and len(text) <= 15)


def test_the_error_tells_the_text_shortened_and_what_to_send() -> None:
    with pytest.raises(InvalidCursor, match="send the number of the last event") as caught:
        parse_cursor("x" * 1_000_000)
    assert caught.value.text == "x" * 40
    assert len(str(caught.value)) < 200
