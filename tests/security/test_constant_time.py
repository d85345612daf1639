"""No comparison of ours takes longer the more of a secret was guessed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import flowmaestro

API = Path(flowmaestro.__file__).parent / "api"
SECRET_NAMES = {
    *("_mac", "mac", "digest", "signature", "key_hash", "presented", "presented_key", "secret"),
    *("ticket", "token", "credential", "password"),
}
"""What such a value is called in the API's code."""


def _names(node: ast.expr) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr


def _comparisons(tree: ast.AST) -> Iterator[ast.Compare]:
    """Yield those that look into their operands: not ``is``, and not with a constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            looks = any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
            constant = any(
                isinstance(side, ast.Constant) for side in (node.left, *node.comparators)
            )
            if looks and not constant:
                yield node


def test_nothing_secret_is_compared_with_an_operator() -> None:
    files = sorted(API.rglob("*.py"))
    assert any(file.name == "tickets.py" for file in files)
    for file in files:
        for comparison in _comparisons(ast.parse(file.read_text())):
            sides = (comparison.left, *comparison.comparators)
            used = {name for side in sides for name in _names(side)}
            # What a ticket says in clear (`ticket.execution_id`) is no secret.
            used -= {"ticket"} if used & {"execution_id", "expires_at", "key_id"} else set()
            assert not used & SECRET_NAMES, f"{file.name}:{comparison.lineno}: {used}"
    assert "hmac.compare_digest(self._mac," in (API / "tickets.py").read_text()
