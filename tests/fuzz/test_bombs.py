"""Small requests that ask for much work are refused or bounded, and hold nobody up meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx2
import pytest

from tests.fuzz.fuzzed_server import FuzzedServer, finish, fuzzed_server
from tests.support.api import assert_error
from tests.support.bombs import RUNNING, TEXTS

BOUND_MS = 1_000
"""How long an execution that would not end by itself is given by its own settings."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    with fuzzed_server(tmp_path_factory.mktemp("bombs")) as running:
        yield running


@pytest.fixture
def client(server: FuzzedServer) -> Iterator[httpx2.Client]:
    """A client, while another one goes on being answered: a server that hangs answers nobody."""
    over = threading.Event()
    answers: list[int] = []

    def go_on_asking() -> None:
        with server.client() as other:
            while not (answers and over.is_set()):
                answers.append(other.get("/healthz").status_code)

    asking = threading.Thread(target=go_on_asking)
    asking.start()
    try:
        with server.client() as opened:
            yield opened
    finally:
        over.set()
        asking.join()
    assert set(answers) == {200}


@pytest.mark.parametrize("name", TEXTS)
def test_a_bomb_does_not_go_off_when_it_is_stored(client: httpx2.Client, name: str) -> None:
    content_type, body = TEXTS[name]

    response = client.post("/v1/workflows", content=body, headers={"Content-Type": content_type})

    if response.status_code != 201:
        error = assert_error(response, "validation_error")
        assert len(response.content) < 200_000
        assert len(error["details"].get("problems", ())) <= 501


@pytest.mark.parametrize("name", RUNNING)
def test_a_bomb_does_not_go_off_when_it_runs(client: httpx2.Client, name: str) -> None:
    workflow_id = name.replace(" ", "-")
    # It has to be there before it can be called by itself.
    client.post("/v1/workflows", json={**RUNNING["a power"], "id": workflow_id}).raise_for_status()
    document = {**RUNNING[name], "settings": {"timeout_ms": BOUND_MS}}
    text = json.dumps(document).replace("SELF", workflow_id)
    client.put(f"/v1/workflows/{workflow_id}", content=text).raise_for_status()

    started = client.post(f"/v1/workflows/{workflow_id}/execute").json()["data"]

    last = finish(client, started["events_url"])
    assert last["type"] in ("execution:completed", "execution:failed")
