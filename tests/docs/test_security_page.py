"""``docs/security.md`` names tests that exist for each line of what is defended, and every test in
``tests/security``."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.docs_pages import DOCS, ROOT, code_in, rows, section

PAGE = DOCS / "security.md"
TESTS = ROOT / "tests"
LINES = rows(section(PAGE, "What is defended"))
SECURITY_TESTS = sorted((TESTS / "security").glob("test_*.py"))

_TEST = re.compile(r"[a-z_/]+/test_[a-z_]+\.py(::Test\w+)?::test_\w+")


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the tests of a file, those of a class as ``Class::test``."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def test_there_are_lines() -> None:
    assert len(LINES) > 50


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0][:50])
def test_each_line_names_tests_that_exist(line: list[str]) -> None:
    threat, defence, shown = line
    assert threat
    assert defence
    names = code_in(shown)
    assert names, "a line without a test"
    assert re.sub(r"`[^`]*`", "", shown).strip() == "", "something that is no test"
    for name in names:
        assert _TEST.fullmatch(name), name
        file, _, test = name.partition("::")
        assert (TESTS / file).is_file(), name
        assert test in functions_of(TESTS / file), name


@pytest.mark.parametrize("path", SECURITY_TESTS, ids=lambda path: path.name)
def test_every_security_test_has_a_line(path: Path) -> None:
    named = {name for line in LINES for name in code_in(line[2])}
    for test in functions_of(path):
        assert f"security/{path.name}::{test}" in named, test
