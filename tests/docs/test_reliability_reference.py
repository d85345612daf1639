"""The page on reliability names every step there is a crash point for, and tests that exist."""

from __future__ import annotations

import re

from tests.support.crash_points import WRITES
from tests.support.docs_pages import DOCS

PAGE = (DOCS / "reliability.md").read_text()


def test_every_crash_point_is_in_the_table() -> None:
    table = PAGE.split("## Crash points")[1].split("## Storage faults")[0]
    steps = "".join(line for line in table.splitlines() if line.startswith("| **"))
    assert set(WRITES) - set(re.findall(r"`([^`]+)`", steps)) == set()


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(tests/[^`]+\.py)`", PAGE))
    assert named
    assert [path for path in named if not (DOCS.parent / path).is_file()] == []
