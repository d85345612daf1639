from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.support.api import (
    TIMESTAMP,
    assert_error,
    assert_meta,
    create,
    execute,
    finish,
    greeting,
    waiting,
)
from tests.support.server import LiveServer

GREETING_YAML = """
name: Greeting
nodes:
  greet: {type: transform, config: {value: "Hello!"}}
  out: {type: output, config: {outputName: greeting, value: "{{ greet.value }}"}}
edges:
  - {source: greet, target: out}
"""


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
async def test_a_workflow_is_created_read_replaced_and_deleted(
    client: httpx2.AsyncClient, prefix: str
) -> None:
    created = await client.post(f"{prefix}/workflows", json=greeting())
    assert created.status_code == 201
    assert_meta(created)
    workflow = created.json()["data"]
    assert workflow["id"].startswith("wf_")
    assert workflow["version"] == 1
    assert workflow["name"] == "Greeting"
    assert workflow["definition"]["nodes"] == greeting()["nodes"]
    assert workflow["input_schema"]["properties"]["name"]["type"] == "string"
    assert workflow["input_schema"]["required"] == ["name"]
    assert TIMESTAMP.fullmatch(workflow["created_at"])

    path = f"{prefix}/workflows/{workflow['id']}"
    assert (await client.get(path)).json()["data"] == workflow

    replaced = await client.put(path, json=greeting(name="Better"))
    assert replaced.status_code == 200
    assert replaced.json()["data"]["version"] == 2
    assert (await client.get(path)).json()["data"]["name"] == "Better"

    deleted = await client.delete(path)
    assert deleted.status_code == 204
    assert deleted.content == b""
    assert "X-Request-Id" in deleted.headers
    for response in (
        await client.get(path),
        await client.delete(path),
        await client.post(f"{path}/execute", json={}),
    ):
        assert_error(response, "resource_not_found")


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_deleted_workflow_comes_back_and_old_executions_keep_their_version(
    client: httpx2.AsyncClient, method: str
) -> None:
    await create(client, greeting(id="mine"))
    execution_id = await execute(client, "mine", name="Ada")
    await client.delete("/v1/workflows/mine")
    path = "/v1/workflows" if method == "POST" else "/v1/workflows/mine"
    back = await client.request(method, path, json=waiting(1, id="mine"))
    assert back.status_code == (201 if method == "POST" else 200), back.text
    assert back.json()["data"]["version"] == 2
    assert (await finish(client, execution_id))["outputs"] == {"greeting": "Hello, Ada!"}
    again = await finish(client, await execute(client, "mine"))
    assert again["outputs"] == {"wait": {"duration_ms": 1}}


async def test_an_id_that_another_workspace_uses_or_used_is_free(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await create(client, greeting(id="here"))
    await create(client, greeting(id="gone"))
    await client.delete("/v1/workflows/gone")
    async with server.client(await server.new_key(workspace="other")) as other:
        for workflow_id in ("here", "gone"):
            replaced = await other.put(f"/v1/workflows/{workflow_id}", json=greeting())
            assert_error(replaced, "resource_not_found")
            assert await create(other, greeting(id=workflow_id)) == workflow_id


async def test_a_caller_may_choose_the_id_once(client: httpx2.AsyncClient) -> None:
    assert await create(client, greeting(id="hello-world_1")) == "hello-world_1"
    response = await client.post("/v1/workflows", json=greeting(id="hello-world_1"))
    assert assert_error(response, "validation_error")["details"]["field"] == "body.id"
    stored = (await client.get("/v1/workflows/hello-world_1")).json()["data"]
    assert "id" not in stored["definition"]


@pytest.mark.parametrize("workflow_id", ["", "a/b", "a b", "-a", "é", "a" * 101, 5, ["a"], "a\n"])
async def test_an_id_that_cannot_be_one_is_refused(
    client: httpx2.AsyncClient, workflow_id: Any
) -> None:
    response = await client.post("/v1/workflows", json=greeting(id=workflow_id))
    assert assert_error(response, "validation_error")["details"]["field"] == "body.id"


async def test_an_id_cannot_be_changed(client: httpx2.AsyncClient) -> None:
    await create(client, greeting(id="one"))
    assert (await client.put("/v1/workflows/one", json=greeting(id="one"))).status_code == 200
    response = await client.put("/v1/workflows/one", json=greeting(id="two"))
    assert assert_error(response, "validation_error")["details"]["field"] == "body.id"


async def test_a_definition_may_be_yaml_in_camel_case(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/v1/workflows", content=GREETING_YAML, headers={"Content-Type": "application/yaml"}
    )
    assert response.status_code == 201, response.text
    execution = await finish(client, await execute(client, response.json()["data"]["id"]))
    assert execution["outputs"] == {"greeting": "Hello!"}


async def test_yaml_that_cannot_be_read_says_where(client: httpx2.AsyncClient) -> None:
    for text in ("name: [", "a: &x [*x, *x]\nb: !!python/object:os.system {}", "\t- x"):
        response = await client.post(
            "/v1/workflows", content=text, headers={"Content-Type": "application/yaml"}
        )
        assert_error(response, "validation_error")


async def test_every_problem_of_a_definition_is_told_at_once(client: httpx2.AsyncClient) -> None:
    definition = greeting(
        nodes={
            "fetch": {"type": "http", "config": {}},
            "odd": {"type": "nonsense", "config": {}},
            "text": {"type": "transform", "config": {"value": "{{ oops"}},
        },
        edges=[
            {"source": "fetch", "target": "nowhere"},
            {"source": "odd", "target": "text"},
            {"source": "text", "target": "odd"},
        ],
    )
    response = await client.post("/v1/workflows", json=definition)
    problems = assert_error(response, "validation_error")["details"]["problems"]
    paths = {problem["path"] for problem in problems}
    assert {"nodes.fetch.config.url", "nodes.odd.type", "edges[0].target"} <= paths
    assert "nodes.text.config.value" in paths
    assert all(set(problem) == {"path", "message", "code"} for problem in problems)


async def test_lists_are_pages_with_the_newest_first(client: httpx2.AsyncClient) -> None:
    ids = [await create(client, greeting(name=f"Number {n}")) for n in range(5)]
    first = (await client.get("/v1/workflows?per_page=2")).json()
    assert [workflow["id"] for workflow in first["data"]] == [ids[4], ids[3]]
    assert first["pagination"] == {
        "page": 1,
        "per_page": 2,
        "total_count": 5,
        "total_pages": 3,
        "has_next": True,
        "has_prev": False,
        "has_more": True,
    }
    last = (await client.get("/v1/workflows?per_page=2&page=3")).json()
    assert [workflow["id"] for workflow in last["data"]] == [ids[0]]
    assert (last["pagination"]["has_next"], last["pagination"]["has_prev"]) == (False, True)
    beyond = (await client.get("/v1/workflows?page=9")).json()
    assert beyond["data"] == []
    assert beyond["pagination"]["per_page"] == 20


async def test_an_empty_list_has_no_pages(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/v1/workflows")).json()
    assert body["data"] == []
    assert body["pagination"]["total_count"] == body["pagination"]["total_pages"] == 0
    assert not body["pagination"]["has_next"]


async def test_head_has_the_headers_of_get_and_no_body(client: httpx2.AsyncClient) -> None:
    await create(client, greeting(id="hello"))
    head = await client.head("/v1/workflows/hello")
    get = await client.get("/v1/workflows/hello")
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_an_execution_keeps_the_version_that_it_began_with(
    client: httpx2.AsyncClient,
) -> None:
    workflow_id = await create(client, greeting())
    execution_id = await execute(client, workflow_id, name="Ada")
    await client.put(f"/v1/workflows/{workflow_id}", json=waiting(1))
    assert (await finish(client, execution_id))["outputs"] == {"greeting": "Hello, Ada!"}
