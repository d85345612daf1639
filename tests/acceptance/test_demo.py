"""The demo, as a newcomer runs it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.model_server import Says, model_server

FLOWMAESTRO = str(Path(sys.executable).with_name("flowmaestro"))


def environment(**extra: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLOWMAESTRO", "OPENAI"))
    }
    return kept | extra


def demo(folder: Path, *arguments: str, **extra: str) -> str:
    result = subprocess.run(
        [FLOWMAESTRO, "demo", "--pace-ms", "1", *arguments],
        cwd=folder,
        env=environment(TMPDIR=str(folder), **extra),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_it_shows_nodes_live_writes_a_report_and_its_commands_work(tmp_path: Path) -> None:
    output = demo(tmp_path)
    assert "node:started each_section[0].score" in output
    assert "node_progress" not in output
    assert "node:completed report" in output
    assert "# Digest of speeches.txt" in output
    assert "new birth of freedom" in output

    serve, curl = (
        shlex.split(line)
        for line in output.splitlines()
        if re.match(r"  (\S*flowmaestro|curl) ", line)
    )
    server = subprocess.Popen(
        serve, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith(b"listening on ")
        replay = subprocess.run(curl, check=True, capture_output=True, text=True, timeout=30).stdout
    finally:
        server.terminate()
        server.communicate(timeout=20)
    names = re.findall(r"^event: (.*)$", replay, re.MULTILINE)
    assert names[:2] == ["connected", "execution:started"]
    assert names[-1] == "execution:completed"


@pytest.mark.slow
async def test_a_model_joins_in_when_there_is_one(tmp_path: Path) -> None:
    import asyncio

    text = tmp_path / "short.txt"
    text.write_text("Cats sleep. Cats purr and sleep all day.")
    async with model_server(Says("Cats sleep a lot.")) as model:
        output = await asyncio.to_thread(
            demo, tmp_path, "--file", str(text), OPENAI_BASE_URL=model.base_url
        )
    assert "## Summary\n\nCats sleep a lot." in output
    assert "its two most telling sentences" in output
    assert "Cats purr" in str(model.requests)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_file_it_cannot_read_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    text = tmp_path / "text.txt"
    if content is not None:
        text.write_bytes(content)
    result = subprocess.run(
        [FLOWMAESTRO, "demo", "--file", str(text)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
