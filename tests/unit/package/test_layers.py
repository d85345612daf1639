"""The import rule: each package imports only from those below it."""

from __future__ import annotations

from importlinter.cli import lint_imports


def test_the_import_rule_holds() -> None:
    exit_code = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    assert exit_code == 0
