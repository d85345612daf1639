"""Whatever is sent as a definition is stored or refused with every problem; what is stored runs,
and ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.effort import Effort, fuzzed
from tests.fuzz.fuzzed_server import TERMINAL_STATUSES, FuzzedServer, finish, fuzzed_server
from tests.support.api import assert_error
from tests.support.definitions import (
    DATA,
    INPUT_NAMES,
    VALUES,
    bounded,
    definitions,
    mutated_definitions,
)

EFFORT = Effort.from_environment()
INPUTS = st.dictionaries(st.sampled_from(INPUT_NAMES), DATA | VALUES, max_size=3)
YAML_PIECES = st.sampled_from(
    [
        *("&a ", "*a", "<<: ", "- ", "? ", ": ", "{", "}", "[", "]", ",", "|\n", ">\n", "!!str "),
        *("!!python/object:os.system ", "%YAML 1.1\n", "---\n", "...\n", "#", '"', "'", "\t", "\n"),
        *("  ", "name: x\n", "nodes:\n", "  n: {type: wait, config: {duration_ms: 0}}\n", "~"),
        *(
            "0x" + "f" * 300,
            "1" * 400,
            "1e999",
            ".nan",
            "\ufeff",
            "\u2028",
            "\0",
            "é",
            "\U0001f600",
        ),
    ]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    with fuzzed_server(tmp_path_factory.mktemp("definitions")) as running:
        yield running
        for name in ("unfinished_executions", "running_nodes"):
            assert running.gauge(f"flowmaestro_{name}") == 0


@pytest.fixture(scope="module")
def client(server: FuzzedServer) -> Iterator[httpx2.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture
def counts(request: pytest.FixtureRequest, effort: Effort) -> Iterator[Counter[str]]:
    """Counts what the test did, for the report."""
    found: Counter[str] = Counter()
    yield found
    effort.record("definitions", **found)


def assert_answered(response: httpx2.Response, counts: Counter[str]) -> bool:
    """Check the answer to a definition, and return whether it was stored."""
    counts["cases"] += 1
    if response.status_code == 201:
        counts["stored"] += 1
        return True
    details = assert_error(response, "validation_error")["details"]
    assert "problems" in details or details["field"].startswith("body")
    for problem in details.get("problems", ()):
        assert set(problem) == {"path", "message", "code"}
        assert problem["message"]
        # What has no path concerns the document as a whole.
        assert problem["path"] or problem["code"] in ("syntax", "limit", "invalid_type", "missing")
    return False


def assert_ends(
    client: httpx2.Client, workflow_id: str, inputs: dict[str, Any], counts: Counter[str]
) -> None:
    started = client.post(f"/v1/workflows/{workflow_id}/execute", json={"inputs": inputs})
    if started.status_code == 400:
        assert_error(started, "validation_error")
        return
    assert started.status_code == 202, started.text
    counts["executed"] += 1
    accepted = started.json()["data"]
    last = finish(client, accepted["events_url"])
    assert last["type"] in ("execution:completed", "execution:failed", "execution:cancelled")
    found = client.get(f"/v1/executions/{accepted['execution_id']}").json()["data"]
    assert found["status"] in TERMINAL_STATUSES
    assert found["error"] is None or found["error_details"]["code"] != "internal_error", found


@fuzzed(EFFORT, 60)
@given(document=VALUES)
def test_any_json_is_answered(document: Any, client: httpx2.Client, counts: Counter[str]) -> None:
    assert_answered(client.post("/v1/workflows", json=document), counts)


@fuzzed(EFFORT, 40)
@given(text=st.lists(YAML_PIECES | st.text(max_size=5), max_size=30).map("".join))
def test_any_yaml_is_answered(text: str, client: httpx2.Client, counts: Counter[str]) -> None:
    response = client.post(
        "/v1/workflows",
        content=text.encode("utf-8", "surrogatepass"),
        headers={"Content-Type": "application/yaml"},
    )
    assert_answered(response, counts)


@fuzzed(EFFORT, 60)
@given(document=definitions(), inputs=INPUTS)
def test_what_is_stored_runs_and_ends(
    document: Any, inputs: dict[str, Any], client: httpx2.Client, counts: Counter[str]
) -> None:
    response = client.post("/v1/workflows", json=document)
    if assert_answered(response, counts):
        assert_ends(client, response.json()["data"]["id"], inputs, counts)


@fuzzed(EFFORT, 120)
@given(document=mutated_definitions(), inputs=INPUTS)
def test_a_definition_with_faults_is_refused_or_runs_and_ends(
    document: Any, inputs: dict[str, Any], client: httpx2.Client, counts: Counter[str]
) -> None:
    response = client.post("/v1/workflows", json=document)
    if not assert_answered(response, counts):
        return
    workflow_id = response.json()["data"]["id"]
    client.put(f"/v1/workflows/{workflow_id}", json=bounded(document)).raise_for_status()
    assert_ends(client, workflow_id, inputs, counts)
