"""Another workspace's things are as if they were not there: whatever is asked for one by its id is
answered, byte for byte, as for an id that nobody has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.api.keys import hash_key
from flowmaestro.api.tickets import sign_ticket
from tests.support.api import assert_error, create, execute, finish, greeting, waiting
from tests.support.api_walk import PREFIXES, ask, closed, comparable, operations_of
from tests.support.server import LiveServer, create_key, live_server


@dataclass(frozen=True)
class Theirs:
    """What another workspace has."""

    client: httpx2.AsyncClient
    workflow_ids: list[str]
    execution_ids: list[str]

    def ids_of(self, parameter: str) -> list[str]:
        return {"workflow_id": self.workflow_ids, "execution_id": self.execution_ids}[parameter]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path, shutdown_grace_seconds=0) as live:
        yield live


@pytest.fixture
async def ours(server: LiveServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with server.client() as client:
        yield client


@pytest.fixture
async def theirs(server: LiveServer) -> AsyncIterator[Theirs]:
    async with server.client(await server.new_key(workspace="theirs")) as client:
        waits, chosen = await create(client, waiting()), await create(client, greeting(id="chosen"))
        deleted = await create(client, greeting(id="deleted"))
        assert (await client.delete(f"/v1/workflows/{deleted}")).status_code == 204
        running = await execute(client, waits)
        ended = await execute(client, chosen, name="Ada")
        assert (await finish(client, ended))["status"] == "completed"
        yield Theirs(client, [waits, chosen, deleted], [running, ended])


def _nobodys(id_: str) -> str:
    """An id like *id_* that nobody has; as long, so that the answers are too."""
    return id_[:-1] + ("0" if id_[-1] != "0" else "1")


_VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"headers": {"Accept": "application/json"}},
    {"headers": {"Accept": "text/html"}},
    {"headers": {"Last-Event-ID": "1"}},
    {"headers": {"Last-Event-ID": "1000"}},
    {"headers": {"Idempotency-Key": "the-same"}},
    {"headers": {"X-Workspace": "theirs", "X-Forwarded-For": "127.0.0.1"}},
    {"json": {}},
    {"json": {"inputs": {"name": "Ada"}}},
    {"json": {"reason": "because"}},
    {"json": {"ttl_seconds": 10}},
    {"json": {"unheard": "of"}},
    {"json": []},
    {"content": b"{"},
    {"content": b"{}", "headers": {"Content-Encoding": "gzip"}},
)


async def test_no_operation_tells_another_workspace_s_id_from_nobody_s(
    server: LiveServer, ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    asked = 0
    for operation in closed(await operations_of(server)):
        for parameter in operation.parameters:
            for known in theirs.ids_of(parameter):
                unknown = _nobodys(known)
                for there, nowhere in zip(
                    operation.targets({parameter: known}),
                    operation.targets({parameter: unknown}),
                    strict=True,
                ):
                    for variant in _VARIANTS:
                        found = comparable(await ask(ours, operation, there, **variant))
                        expected = comparable(await ask(ours, operation, nowhere, **variant))
                        status, headers, body = expected
                        assert found[0] == status, (there, variant, found)
                        assert found[1] == headers
                        assert found[2].replace(known.encode(), unknown.encode()) == body
                        assert status in (400, 404, 406)
                        asked += 1
                    refused = await ask(ours, operation, there)
                    assert_error(refused, "resource_not_found")
                    if operation.method == "GET":
                        assert (await ours.head(there)).status_code == 404
    assert asked > 100
    running, ended = theirs.execution_ids
    for id_, stands in ((running, "running"), (ended, "completed")):
        kept = (await theirs.client.get(f"/v1/executions/{id_}")).json()["data"]
        assert kept["status"] == stands
    for id_ in theirs.workflow_ids[:2]:
        kept = (await theirs.client.get(f"/v1/workflows/{id_}")).json()["data"]
        assert kept["version"] == 1
    assert (await theirs.client.get("/v1/executions")).json()["pagination"]["total_count"] == 2


async def test_every_id_of_the_document_is_one_that_the_walk_knows(server: LiveServer) -> None:
    names = {name for operation in await operations_of(server) for name in operation.parameters}
    assert names == {"workflow_id", "execution_id"}


async def test_lists_filters_and_totals_count_nothing_of_theirs(
    server: LiveServer, ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    lists = [
        operation
        for operation in closed(await operations_of(server))
        if operation.method == "GET" and not operation.parameters
    ]
    assert len(lists) == 2
    filters: list[dict[str, Any]] = [{}, {"per_page": 100}, {"page": 2}]
    for operation in lists:
        for target in operation.targets():
            for query in filters:
                body = (await ours.get(target, params=query)).json()
                assert body["data"] == []
                assert body["pagination"]["total_count"] == 0
                assert body["pagination"]["total_pages"] == 0
    for workflow_id in theirs.workflow_ids:
        for status in (None, "running", "completed"):
            query = {"workflow_id": workflow_id, **({"status": status} if status else {})}
            found = await ours.get("/v1/executions", params=query)
            none = await ours.get(
                "/v1/executions", params={**query, "workflow_id": _nobodys(workflow_id)}
            )
            assert comparable(found) == comparable(none)
    assert (await theirs.client.get("/v1/workflows")).json()["pagination"]["total_count"] == 2


async def test_an_id_that_they_chose_can_be_chosen_as_if_nobody_had(
    ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    for prefix in PREFIXES:
        for id_ in theirs.workflow_ids:
            free = f"{_nobodys(id_)}{len(prefix)}"
            answers = []
            for chosen in (id_, free):
                answer = await ours.post(f"{prefix}/workflows", json=greeting(id=chosen))
                assert answer.status_code == 201, answer.text
                data = answer.json()["data"]
                answers.append({**data, "id": "", "created_at": "", "updated_at": ""})
                assert (await ours.delete(f"{prefix}/workflows/{chosen}")).status_code == 204
            assert {**answers[0], "version": 1} == answers[1]
    waits, chosen, _ = theirs.workflow_ids
    for id_, name in ((waits, "Waiting"), (chosen, "Greeting")):
        kept = (await theirs.client.get(f"/v1/workflows/{id_}")).json()["data"]
        assert (kept["name"], kept["version"]) == (name, 1)


async def test_two_workspaces_run_what_they_mean_by_the_same_id(
    ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    await create(ours, greeting(id="chosen", name="Ours"))
    caller = {
        "name": "Caller",
        "nodes": {"call": {"type": "workflow", "config": {"workflow_id": "chosen"}}},
        "edges": [],
    }
    caller["nodes"]["call"]["config"]["inputs"] = {"name": "Ada"}  # type: ignore[index]
    for client, name in ((ours, "Ours"), (theirs.client, "Greeting")):
        ended = await finish(client, await execute(client, "chosen", name="Ada"))
        assert (ended["workflow_name"], ended["status"]) == (name, "completed")
        ended = await finish(client, await execute(client, await create(client, caller)))
        assert ended["status"] == "completed", ended


async def test_a_workflow_node_cannot_name_their_workflow(
    ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    for known in theirs.workflow_ids:
        answers = []
        for id_ in (known, _nobodys(known)):
            node = {"type": "workflow", "config": {"workflow_id": id_}}
            definition = {"name": "Caller", "nodes": {"call": node}, "edges": []}
            loop = {"type": "loop", "config": {"items": [1], "body": definition}}
            for sent in (definition, {"name": "Outer", "nodes": {"each": loop}, "edges": []}):
                answer = await ours.post("/v1/workflows", json=sent)
                assert_error(answer, "validation_error")
                answers.append(comparable(answer)[2].replace(id_.encode(), b"ID"))
        assert answers[:2] == answers[2:]


async def test_an_idempotency_key_is_its_workspace_s(
    ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    await create(ours, greeting(id="chosen"))
    headers = {"Idempotency-Key": "order-17"}
    body = {"inputs": {"name": "Ada"}}
    ids = set()
    for client in (theirs.client, ours):
        first = await client.post("/v1/workflows/chosen/execute", json=body, headers=headers)
        assert first.status_code == 202
        assert "Idempotent-Replayed" not in first.headers
        again = await client.post("/v1/workflows/chosen/execute", json=body, headers=headers)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json()["data"] == first.json()["data"]
        ids.add(first.json()["data"]["execution_id"])
    assert len(ids) == 2
    other = await ours.post(
        "/v1/workflows/chosen/execute", json={"inputs": {"name": "Eve"}}, headers=headers
    )
    error = assert_error(other, "validation_error")
    assert error["details"]["field"] == "header.Idempotency-Key"
    assert not any(id_ in other.text for id_ in ids)


async def test_a_ticket_that_one_signs_for_their_execution_opens_nothing(
    server: LiveServer, ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    # Whoever has a key knows its hash, and can sign what they like with it.
    key, stored = await create_key(server.parts.storage)
    expires_at = datetime.now(UTC) + timedelta(minutes=5)

    async def answer(execution_id: str) -> httpx2.Response:
        ticket = sign_ticket(
            key_id=stored.id,
            key_hash=hash_key(key),
            execution_id=execution_id,
            expires_at=expires_at,
        )
        path = f"/v1/executions/{execution_id}/events?ticket={ticket}"
        async with server.client(None) as client:
            return await client.get(path)

    mine = await execute(ours, await create(ours, greeting()), name="Ada")
    assert (await answer(mine)).status_code == 200
    for known in theirs.execution_ids:
        found, none = await answer(known), await answer(_nobodys(known))
        assert_error(found, "resource_not_found")
        assert comparable(found)[:2] == comparable(none)[:2]
        assert (
            comparable(found)[2].replace(known.encode(), _nobodys(known).encode())
            == (comparable(none)[2])
        )


async def test_their_events_are_in_no_stream_of_ours(
    ours: httpx2.AsyncClient, theirs: Theirs
) -> None:
    mine = await execute(ours, await create(ours, greeting()), name="Grace")
    text = (await ours.get(f"/v1/executions/{mine}/events")).text
    assert "Hello, Grace!" in text
    assert "Ada" not in text
    assert not any(id_ in text for id_ in (*theirs.execution_ids, theirs.workflow_ids[0]))
