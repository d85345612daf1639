"""Reading definitions from JSON and YAML text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.workflow.documents import Format, parse_document
from flowmaestro.workflow.limits import Limits
from flowmaestro.workflow.problems import InvalidDefinition


def refusal(text: str | bytes, format: Format, **options: Any) -> str:  # noqa: A002
    with pytest.raises(InvalidDefinition) as caught:
        parse_document(text, format, **options)
    (problem,) = caught.value.problems
    return problem.message


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_json_is_read_as_it_is_written(value: Any) -> None:
    assert parse_document(json.dumps(value)) == value
    assert parse_document(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("format", ["json", "yaml"])
@given(data=st.text() | st.binary())
def test_any_text_is_answered(format: Format, data: str | bytes) -> None:  # noqa: A002
    try:
        value = parse_document(data, format)
    except InvalidDefinition:
        pass
    else:
        json.dumps(value, allow_nan=False)


class TestJson:
    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("", "line 1, column 1"),
            ('{"a": 1,\n}', "line 2, column 1"),
            ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' is written twice"),
            ("[NaN]", "'NaN' is not a number"),
            ("[-Infinity]", "'-Infinity' is not a number"),
            ("1e999", "too large"),
            ("1" * 400, "300 digits"),
            ("1" * 5_000, "300 digits"),
            ("[" * 100_000, "nests too deeply"),
            (b"\xff", "not UTF-8"),
            ('"\ud800"', "not UTF-8"),
        ],
    )
    def test_what_is_refused(self, text: str | bytes, part: str) -> None:
        assert part in refusal(text, "json")

    def test_the_mark_of_some_editors_is_ignored(self) -> None:
        assert parse_document(b"\xef\xbb\xbf[1]") == [1]

    def test_size_is_bounded(self) -> None:
        assert "larger than 10 bytes" in refusal('"äöüäöü"', "json", limits=Limits(max_bytes=10))


class TestYaml:
    def test_a_definition(self) -> None:
        text = """
        # a comment
        name: demo
        nodes:
          fetch: {type: http, config: {url: 'http://x', on: yes, retries: 3}}
        edges: []
        note: |
          two
          lines
        """

        assert parse_document(text, "yaml") == {
            "name": "demo",
            "nodes": {
                "fetch": {"type": "http", "config": {"url": "http://x", "on": "yes", "retries": 3}}
            },
            "edges": [],
            "note": "two\nlines\n",
        }

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("", None),
            ("~", None),
            ("null", None),
            ("true", True),
            ("False", False),
            ("yes", "yes"),
            ("no", "no"),
            ("12", 12),
            ("-012", -12),
            ("0x1f", 31),
            ("0o17", 15),
            ("1_000", "1_000"),
            ("1.5e3", 1500.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1:30", "1:30"),
            ("2024-01-01", "2024-01-01"),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            ("'12'", "12"),
            ("!!str 12", "12"),
            ("{1: a, true: b}", {"1": "a", "true": "b"}),
        ],
    )
    def test_scalars_are_those_of_the_core_schema(self, text: str, value: object) -> None:
        result = parse_document(text, "yaml")

        assert result == value
        assert type(result) is type(value)

    def test_anchors_and_merges(self) -> None:
        text = """
        base: &base {a: 1, b: 2}
        more: &more {c: 3}
        one: *base
        two: {<<: *base, b: 5}
        three: {b: 7, <<: [*base, *more]}
        name: &name key
        *name : value
        """

        assert parse_document(text, "yaml") == {
            "base": {"a": 1, "b": 2},
            "more": {"c": 3},
            "one": {"a": 1, "b": 2},
            "two": {"a": 1, "b": 5},
            "three": {"a": 1, "b": 7, "c": 3},
            "name": "key",
            "key": "value",
        }

    def test_a_billion_laughs_are_not_had(self) -> None:
        lines = ["a0: &a0 [lol, lol]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

        assert "more than 100,000 values" in refusal("\n".join(lines), "yaml")

    def test_merging_again_and_again_costs_what_it_makes(self) -> None:
        fields = ", ".join(f"k{index}: 1" for index in range(1_000))
        lines = [f"base: &base {{{fields}}}", *[f"m{n}: {{<<: *base}}" for n in range(1_000)]]

        assert "more than 100,000 values" in refusal("\n".join(lines), "yaml")

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("a: [1", "(line 2, column 1)"),
            ("a: 1\na: 2", "'a' is written twice in one object (line 2, column 1)"),
            ("&k a: 1\n*k : 2", "'a' is written twice"),
            ("? [1]\n: 2", "named by text"),
            ("&k [1]: 2", "named by text"),
            ("a: &a [1]\n*a : 2", "named by text"),
            ("a: &a [*a]", "no finished anchor"),
            ("a: *b", "no finished anchor"),
            ("a: .nan", "'.nan' is not a number"),
            ("a: -.inf", "'-.inf' is not a number"),
            ("a: 1e999", "too large"),
            ("a: " + "1" * 5_000, "300 digits"),
            ("a: 0x" + "f" * 300, "300 digits"),
            ("a: !!python/object/apply:os.system [ls]", "tag"),
            ("a: !custom x", "tag"),
            ("a: !!binary aGk=", "tag"),
            ("<<: 1", "merges objects"),
            ("a: 1\n---\nb: 2", "more than one document"),
            ("[" * 100_000, "nests deeper than 64"),
            ("- " * 100_000, "nests deeper than 64"),
            ("{a: " * 100_000, "nests deeper than 64"),
            ("a: \x00", "no YAML"),
            ("a: '\ud800'", "not UTF-8"),
        ],
    )
    def test_what_is_refused(self, text: str, part: str) -> None:
        assert part in refusal(text, "yaml")

    def test_an_alias_may_not_nest_deeper_either(self) -> None:
        lines = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100)]

        assert "nests deeper than 64" in refusal("\n".join(lines), "yaml")
