from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.api.strict_json import MAX_DEPTH, InvalidJson, parse_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**200), 10**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_what_json_writes_is_read_back(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_a_mistake_is_found_by_line_and_column() -> None:
    with pytest.raises(InvalidJson, match="line 3, column 8"):
        parse_json(b'{\n  "a": 1,\n  "b": oops\n}')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (b"{} {}", "Extra data"),
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"1e999", "too large"),
        (b"9" * 400, "digits"),
        (b"-" + b"9" * 5000, "digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a'.*twice"),
        (b'["\\ud800"]', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b"\xff\xfe", "UTF-8"),
        (b"'a'", "Expecting value"),
        (b"[1,]", "value"),
        (b"[" * 100_000, "nest"),
        (b"[" * 100_000 + b"]" * 100_000, "nest"),
        (b'{"a":' * 100_000, "nest"),
    ],
)
def test_what_is_not_safe_json_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(InvalidJson, match=reason):
        parse_json(text)


def test_nesting_is_allowed_up_to_the_limit_and_no_further() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(InvalidJson, match="nest"):
        parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidJson):
        parse_json(data)
