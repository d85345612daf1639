from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.support.api import (
    TIMESTAMP,
    assert_error,
    create,
    execute,
    finish,
    greeting,
    waiting,
)


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
async def test_an_execution_is_accepted_runs_and_can_be_read(
    client: httpx2.AsyncClient, prefix: str
) -> None:
    await create(client, greeting(id="hello"))
    response = await client.post(
        f"{prefix}/workflows/hello/execute", json={"inputs": {"name": "Ada"}}
    )
    assert response.status_code == 202
    accepted = response.json()["data"]
    execution_id = accepted["execution_id"]
    assert accepted == {
        "execution_id": execution_id,
        "workflow_id": "hello",
        "status": "pending",
        "inputs": {"name": "Ada"},
        "events_url": f"{prefix}/executions/{execution_id}/events",
    }
    assert (await client.get(accepted["events_url"])).status_code == 200
    execution = (await client.get(f"{prefix}/executions/{execution_id}")).json()["data"]
    for moment in ("created_at", "started_at", "completed_at"):
        assert TIMESTAMP.fullmatch(execution.pop(moment))
    assert execution.pop("duration_ms") >= 0
    assert execution == {
        "id": execution_id,
        "workflow_id": "hello",
        "workflow_name": "Greeting",
        "status": "completed",
        "inputs": {"name": "Ada"},
        "outputs": {"greeting": "Hello, Ada!"},
        "error": None,
        "error_details": None,
    }


async def test_a_body_is_not_needed_where_inputs_are_not(client: httpx2.AsyncClient) -> None:
    await create(client, waiting(1, id="wait"))
    response = await client.post("/v1/workflows/wait/execute")
    assert response.status_code == 202
    assert response.json()["data"]["inputs"] == {}


async def test_a_failed_execution_says_why_and_where(client: httpx2.AsyncClient) -> None:
    definition = greeting(
        id="broken",
        nodes={"bad": {"type": "transform", "config": {"value": "{{ 1 / 0 }}"}}},
        edges=[],
    )
    await create(client, definition)
    execution = await finish(client, await execute(client, "broken"))
    assert execution["status"] == "failed"
    assert execution["error"]
    assert execution["error_details"]["node_id"] == "bad"
    assert execution["outputs"] is None


async def test_a_repeat_with_the_same_idempotency_key_gets_the_first_answer(
    client: httpx2.AsyncClient,
) -> None:
    await create(client, greeting(id="hello"))

    async def post(body: dict[str, Any], key: str = "key-1") -> httpx2.Response:
        return await client.post(
            "/v1/workflows/hello/execute", json=body, headers={"Idempotency-Key": key}
        )

    answers = await asyncio.gather(*(post({"inputs": {"name": "Ada"}}) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["data"]["execution_id"] for answer in answers}) == 1
    assert all(answer.json()["data"] == answers[0].json()["data"] for answer in answers)
    assert (await client.get("/v1/executions")).json()["pagination"]["total_count"] == 1

    differs = await post({"inputs": {"name": "Grace"}})
    error = assert_error(differs, "validation_error")
    assert error["details"]["field"] == "header.Idempotency-Key"
    assert (await post({"inputs": {"name": "Ada"}}, key="key-2")).json()["data"][
        "execution_id"
    ] != answers[0].json()["data"]["execution_id"]


async def test_a_repeat_after_the_end_still_gets_the_first_answer(
    client: httpx2.AsyncClient,
) -> None:
    await create(client, greeting(id="hello"))
    request: dict[str, Any] = {
        "json": {"inputs": {"name": "Ada"}},
        "headers": {"Idempotency-Key": "again"},
    }
    first = (await client.post("/v1/workflows/hello/execute", **request)).json()["data"]
    await finish(client, first["execution_id"])
    repeat = await client.post("/v1/workflows/hello/execute", **request)
    assert repeat.json()["data"] == first
    assert repeat.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", [b"", b"a b", b"x" * 256, b"\xe9"])
async def test_an_idempotency_key_that_cannot_be_one_is_refused(
    client: httpx2.AsyncClient, key: bytes
) -> None:
    await create(client, greeting(id="hello"))
    response = await client.post(
        "/v1/workflows/hello/execute",
        content=b'{"inputs": {"name": "Ada"}}',
        headers=[(b"Idempotency-Key", key), (b"Content-Type", b"application/json")],
    )
    error = assert_error(response, "validation_error")
    assert error["details"]["field"] == "header.Idempotency-Key"


async def test_cancelling_ends_an_execution_with_the_reason(client: httpx2.AsyncClient) -> None:
    await create(client, waiting(id="wait"))
    execution_id = await execute(client, "wait")
    response = await client.post(
        f"/v1/executions/{execution_id}/cancel", json={"reason": "Not needed any more."}
    )
    assert response.status_code == 200, response.text
    assert response.json()["data"]["status"] == "cancelled"
    stream = (await client.get(f"/v1/executions/{execution_id}/events")).text
    assert "event: execution:cancelled" in stream
    assert "Not needed any more." in stream

    again = await client.post(f"/v1/executions/{execution_id}/cancel")
    assert "already" in assert_error(again, "validation_error")["message"]


@pytest.mark.parametrize(
    "body", [{"reason": ""}, {"reason": 5}, {"why": "x"}, [], {"reason": None}]
)
async def test_a_bad_cancellation_is_refused(client: httpx2.AsyncClient, body: Any) -> None:
    await create(client, waiting(id="wait"))
    execution_id = await execute(client, "wait")
    response = await client.post(f"/v1/executions/{execution_id}/cancel", json=body)
    assert_error(response, "validation_error")


async def test_executions_are_listed_by_workflow_and_status(client: httpx2.AsyncClient) -> None:
    await create(client, greeting(id="hello"))
    await create(client, waiting(id="wait"))
    greeted = [await execute(client, "hello", name=str(n)) for n in range(3)]
    waited = await execute(client, "wait")
    for execution_id in greeted:
        await finish(client, execution_id)

    async def ids(query: str) -> list[str]:
        body = (await client.get(f"/v1/executions?{query}")).json()
        return [execution["id"] for execution in body["data"]]

    assert await ids("") == [waited, *reversed(greeted)]
    assert await ids("workflow_id=hello") == list(reversed(greeted))
    assert await ids("status=completed&per_page=2") == [greeted[2], greeted[1]]
    assert await ids("workflow_id=wait&status=completed") == []
    assert await ids("workflow_id=none") == []
