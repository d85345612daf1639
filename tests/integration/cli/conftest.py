from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.sdk_shells import KEY

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of commands: nothing of the developer's own FlowMaestro in it."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("FLOWMAESTRO_")
    }
    return {**environment, "FLOWMAESTRO_API_KEY": KEY, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}


@pytest.fixture
def run(tmp_path: Path, command_environment: dict[str, str]) -> Run:
    """Run ``flowmaestro`` with arguments, in a folder of its own."""

    def run_command(
        *arguments: str, url: str = "", text: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from flowmaestro.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            input=text,
            cwd=tmp_path,
            env={**command_environment, "FLOWMAESTRO_BASE_URL": url, **environment},
            timeout=60,
        )

    return run_command


def on_a_terminal(arguments: list[str], environment: dict[str, Any]) -> tuple[str, int]:
    """Run a command on a terminal; return all that it wrote there, and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from flowmaestro.cli import main; main()", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
    )
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # what a terminal says when nobody is left at its other end
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    return written.decode(errors="replace"), process.wait(60)
