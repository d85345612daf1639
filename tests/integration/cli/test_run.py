"""``flowmaestro run``: a definition, here and now."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GREETING = """
name: Greeting
nodes:
  who: {type: input, config: {input_name: who, required: true}}
  greet: {type: transform, config: {value: "Hello {{ who }}"}}
  out: {type: output, config: {output_name: text, value: "{{ greet.value }}"}}
edges:
  - {source: who, target: greet}
  - {source: greet, target: out}
"""

NODES = """
import asyncio

from flowmaestro import function


@function
async def hang() -> None:
    await asyncio.Event().wait()


@function
async def fail() -> None:
    raise ValueError("no luck")
"""


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flowmaestro", "run", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, **options
    )


def calling(function: str) -> str:
    nodes = {"a": {"type": "python", "config": {"function": function, "arguments": {}}}}
    return json.dumps({"name": "calling", "nodes": nodes, "edges": []})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greeting.yaml").write_text(GREETING)
    (tmp_path / "own.py").write_text(NODES)
    (tmp_path / "hang.json").write_text(calling("hang"))
    (tmp_path / "fail.json").write_text(calling("fail"))
    return tmp_path


def test_it_runs_a_definition_and_prints_its_events(folder: Path) -> None:
    result = run(folder, "greeting.yaml", "--input", "who=you", "--json")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["type"] == "execution:started"
    assert events[-1]["outputs"] == {"text": "Hello you"}


def test_a_pipe_gets_one_plain_line_for_each_event(folder: Path) -> None:
    result = run(folder, "greeting.yaml", "--input", "who=you")
    assert [line.split()[2] for line in result.stdout.splitlines()][-1] == "execution:completed"


def test_it_leaves_nothing_behind(folder: Path) -> None:
    before = sorted(folder.iterdir())
    run(folder, "greeting.yaml", "--input", "who=you")
    assert sorted(folder.iterdir()) == before


def test_a_failed_execution_exits_with_1(folder: Path) -> None:
    result = run(folder, "fail.json", "--nodes", "own.py")
    assert result.returncode == 1
    assert "ValueError: no luck" in result.stdout


def test_ctrl_c_cancels_and_exits_with_130(folder: Path) -> None:
    command = [sys.executable, "-m", "flowmaestro", "run", "hang.json", "--nodes", "own.py"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "node:started" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert output.splitlines()[-1].split()[2] == "execution:cancelled"
    assert errors == ""


def test_every_problem_is_one_line(folder: Path) -> None:
    (folder / "bad.json").write_text(
        json.dumps(
            {
                "name": "bad",
                "nodes": {"a": {"type": "nope"}, "b": {"type": "http", "config": {}}},
                "edges": [{"source": "a", "target": "c"}],
            }
        )
    )
    result = run(folder, "bad.json")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)
    assert any("nodes.b.config.url" in line for line in lines)


def test_missing_inputs_are_named(folder: Path) -> None:
    result = run(folder, "greeting.yaml")
    assert result.returncode == 1
    assert "inputs.who" in result.stderr


def test_a_called_workflow_is_given_as_a_file(folder: Path) -> None:
    (folder / "inner.yaml").write_text(f"id: inner\n{GREETING}")
    caller = {
        "call": {"type": "workflow", "config": {"workflow_id": "inner", "inputs": {"who": "x"}}}
    }
    (folder / "outer.json").write_text(json.dumps({"name": "o", "nodes": caller, "edges": []}))
    missing = run(folder, "outer.json")
    assert missing.returncode == 1
    assert "--workflow FILE" in missing.stderr
    result = run(folder, "outer.json", "--workflow", "inner.yaml", "--json")
    assert result.returncode == 0, result.stderr
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["outputs"] == {"call": {"text": "Hello x"}}


def test_a_file_that_is_not_there_is_one_clear_line(folder: Path) -> None:
    result = run(folder, "nowhere.yaml")
    assert result.returncode == 1
    assert result.stderr == "error: cannot read nowhere.yaml: No such file or directory\n"
