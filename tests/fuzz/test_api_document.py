"""The API does what its OpenAPI document says: schemathesis draws requests from the document, valid
ones and others, alone and in sequences along its links."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fuzz.effort import Effort
from tests.fuzz.fuzzed_server import FuzzedServer, finish, fuzzed_server
from tests.fuzz.schemathesis_hooks import EXECUTION_IDS, WORKFLOW_IDS
from tests.support.api import greeting, waiting

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "tests" / "fuzz" / "schemathesis.toml"
EXAMPLES = 12
"""Requests drawn for each operation in a test run, beside the ones that cover each keyword."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    with fuzzed_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def known(server: FuzzedServer) -> dict[str, str]:
    """What there is for requests to ask for, as the hooks are told of it."""
    with server.client() as client:
        for document in (greeting(id="greeting"), waiting(id="waiting")):
            client.post("/v1/workflows", json=document).raise_for_status()
        executions = [
            _execute(client, "greeting", {"name": "Ada"}),
            _execute(client, "waiting", {}),
            _execute(client, "waiting", {}),
        ]
        finish(client, f"/v1/executions/{executions[0]}/events")
        client.post(f"/v1/executions/{executions[2]}/cancel").raise_for_status()
    return {WORKFLOW_IDS: "greeting,waiting", EXECUTION_IDS: ",".join(executions)}


@pytest.mark.parametrize("scopes", ["all", "none"])
def test_the_api_does_what_its_document_says(
    server: FuzzedServer, known: dict[str, str], effort: Effort, scopes: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    key = server.key if scopes == "all" else server.powerless_key
    seconds = effort.seconds and effort.seconds / 2
    limits = ["--max-examples", str(EXAMPLES)]
    if seconds is not None:
        limits = ["--max-examples", "100", "--max-time", str(max(1, round(seconds)))]
    if scopes == "none":  # a key that may nothing gets nowhere along the links
        limits += ["--phases", "fuzzing"]

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
            *("--no-color", "run", f"{server.process.base_url}/openapi.json"),
            *("--seed", str(effort.seed), *limits),
            *("--report", "json", "--report-json-path", str(report)),
        ],
        cwd=tmp_path,
        env={**os.environ, **known, "FUZZ_API_KEY": key, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    assert not found["failures"]
    assert not found["errors"]
    assert found["operations"]["tested"] == found["operations"]["total"]
    generated = found["test_cases"]["generated"]
    # In a short time each operation gets few.
    assert generated > (100 if seconds is None else found["operations"]["total"])
    effort.record("api", cases=generated)


def _execute(client: httpx2.Client, workflow_id: str, inputs: dict[str, Any]) -> str:
    started = client.post(f"/v1/workflows/{workflow_id}/execute", json={"inputs": inputs})
    return str(started.json()["data"]["execution_id"])
