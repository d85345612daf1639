"""The import rule: each package imports only from those below it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# In a process of its own: it switches off the loggers that are there.
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_the_import_rule_holds() -> None:
    command = [sys.executable, "-c", LINT, "--config", "pyproject.toml", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
