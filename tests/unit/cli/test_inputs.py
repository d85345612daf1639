"""Inputs and lengths of time, as they are written on a command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.cli.durations import parse_duration
from flowmaestro.cli.errors import CommandFailed
from flowmaestro.cli.inputs import parse_inputs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ("", ""),
        ("3", 3),
        ("3.5", 3.5),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ('{"a": [1]}', {"a": [1]}),
        ("a=b", "a=b"),
        ("[1", "[1"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ('"@file"', "@file"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=range(15),
)
def test_a_value_is_json_if_it_reads_as_json_else_text(value: str, expected: Any) -> None:
    assert parse_inputs([f"name={value}"]) == {"name": expected}


def test_a_file_gives_its_text(tmp_path: Path) -> None:
    file = tmp_path / "speech.txt"
    file.write_text("42\nGrüße\n", "utf-8")
    assert parse_inputs([f"text=@{file}"]) == {"text": "42\nGrüße\n"}


def test_pairs_win_over_the_file_and_later_pairs_over_earlier(tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    file.write_text('{"a": 1, "b": 2}')
    assert parse_inputs(["b=3", "b=4"], file) == {"a": 1, "b": 4}


@pytest.mark.parametrize("pair", ["name", "=value", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(CommandFailed, match="NAME=VALUE"):
        parse_inputs([pair])


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes(b"\xff")
    a_list = tmp_path / "list.json"
    a_list.write_text("[1]")
    with pytest.raises(CommandFailed, match="cannot read"):
        parse_inputs([f"a=@{tmp_path / 'none'}"])
    with pytest.raises(CommandFailed, match="UTF-8"):
        parse_inputs([f"a=@{latin}"])
    with pytest.raises(CommandFailed, match="object"):
        parse_inputs([], a_list)
    with pytest.raises(CommandFailed, match="no JSON"):
        parse_inputs([], _write(tmp_path, "{"))


def _write(folder: Path, text: str) -> Path:
    (folder / "broken.json").write_text(text)
    return folder / "broken.json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        (" 2w ", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "0d", "9999999d", "999999w", "1y"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|hundred years"):
        parse_duration(text)
