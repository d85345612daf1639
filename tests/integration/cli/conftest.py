from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
