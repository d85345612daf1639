"""Plain requests over real sockets, with both clients."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from flowmaestro.client import (
    AsyncFlowMaestroClient,
    ConfigurationError,
    ConnectionFailed,
    FlowMaestroClient,
    InsufficientScope,
    RateLimitExceeded,
    RequestTimeout,
    ServiceUnavailable,
    UnexpectedResponse,
    ValidationError,
)
from tests.support.scripted_server import (
    Answer,
    Request,
    failure,
    in_order,
    response,
    scripted_server,
    success,
)
from tests.support.sdk_shells import KEY, Shell

WORKFLOW = {
    "id": "wf_1",
    "name": "Greet",
    "description": None,
    "version": 3,
    "definition": {"name": "Greet", "nodes": {}},
    "input_schema": None,
    "created_at": "2026-01-02T03:04:05.678Z",
    "updated_at": "2026-01-02T03:04:05.678Z",
}
EXECUTION = {
    "id": "exec_1",
    "workflow_id": "wf_1",
    "workflow_name": "Greet",
    "status": "cancelled",
    "inputs": {},
    "created_at": "2026-01-02T03:04:05.678Z",
}
ACCEPTED = {
    "execution_id": "exec_1",
    "workflow_id": "wf_1",
    "status": "pending",
    "inputs": {"name": "Ada"},
    "events_url": "/api/v1/executions/exec_1/events",
}


def page(request: Request) -> Answer:
    """Answer with one of three pages of two executions; the second repeats one of the first."""
    number = int(request.query["page"])
    ids = {1: ["exec_6", "exec_5"], 2: ["exec_5", "exec_4"], 3: ["exec_3"]}[number]
    pagination = {
        "page": number,
        "per_page": 2,
        "total_count": 5,
        "total_pages": 3,
        "has_next": number < 3,
        "has_prev": number > 1,
        "has_more": number < 3,
    }
    return success([{**EXECUTION, "id": name} for name in ids], pagination=pagination)


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        (lambda client: client.workflows.get("wf_1"), ("GET", "/workflows/wf_1", None)),
        (
            lambda client: client.workflows.create({"name": "Greet"}, id="wf_1"),
            ("POST", "/workflows", {"name": "Greet", "id": "wf_1"}),
        ),
        (
            lambda client: client.workflows.update("wf_1", {"name": "Greet"}),
            ("PUT", "/workflows/wf_1", {"name": "Greet"}),
        ),
    ],
)
def test_workflows(shell: Shell, method: Any, sent: tuple[str, str, Any]) -> None:
    with scripted_server(success(WORKFLOW)) as server:
        workflow = shell.call(server.url, method)
    assert workflow.version == 3
    assert workflow.definition == {"name": "Greet", "nodes": {}}
    [request] = server.requests
    assert (request.method, request.path.removeprefix("/api/v1")) == sent[:2]
    assert (request.json if request.body else None) == sent[2]
    assert request.headers["x-api-key"] == KEY


def test_delete(shell: Shell) -> None:
    with scripted_server(response(204)) as server:
        assert shell.call(server.url, lambda client: client.workflows.delete("wf_1")) is None
    assert server.requests[0].method == "DELETE"


def test_execute(shell: Shell) -> None:
    with scripted_server(success(ACCEPTED, 202)) as server:
        accepted = shell.call(
            server.url, lambda client: client.workflows.execute("wf_1", {"name": "Ada"})
        )
    assert accepted.execution_id == "exec_1"
    assert server.requests[0].json == {"inputs": {"name": "Ada"}}


def test_a_repeat_of_execute_has_the_same_idempotency_key(shell: Shell) -> None:
    answers = in_order(Answer([b"HTTP/1.1 2"]), failure(503, "service_unavailable"))
    remaining = [success(ACCEPTED, 202)]

    def script(request: Request) -> Answer:
        return answers(request) if len(server.requests) < 3 else remaining[0]

    with scripted_server(script) as server:
        shell.call(server.url, lambda client: client.workflows.execute("wf_1"))
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == 1


def test_a_cancel_that_may_have_been_carried_out_is_not_repeated(shell: Shell) -> None:
    with scripted_server(Answer([b"HTTP/1.1 2"])) as server, pytest.raises(ConnectionFailed):
        shell.call(server.url, lambda client: client.executions.cancel("exec_1"))
    assert len(server.requests) == 1


def test_cancel(shell: Shell) -> None:
    with scripted_server(success(EXECUTION)) as server:
        execution = shell.call(server.url, lambda client: client.executions.cancel("exec_1"))
        shell.call(server.url, lambda client: client.executions.cancel("exec_1", reason="late"))
    assert execution.status == "cancelled"
    assert execution.ended
    assert server.requests[0].body == b""
    assert server.requests[1].json == {"reason": "late"}


def test_create_ticket(shell: Shell) -> None:
    answer = {
        "ticket": "sealed",
        "expires_at": "2026-01-02T03:04:05.678Z",
        "events_url": "/api/v1/executions/exec_1/events?ticket=sealed",
    }
    with scripted_server(success(answer, 201)) as server:
        ticket = shell.call(server.url, lambda client: client.executions.create_ticket("exec_1"))
        shell.call(
            server.url, lambda client: client.executions.create_ticket("exec_1", ttl_seconds=60)
        )
    assert (ticket.ticket, ticket.events_url) == ("sealed", answer["events_url"])
    assert "sealed" not in repr(ticket)
    assert [(sent.method, sent.path) for sent in server.requests] == [
        ("POST", "/api/v1/executions/exec_1/tickets")
    ] * 2
    assert [sent.json for sent in server.requests] == [{"ttl_seconds": 300}, {"ttl_seconds": 60}]


def test_listing_goes_on_through_all_pages_without_repeats(shell: Shell) -> None:
    def collect(client: Any) -> Any:
        if isinstance(client, FlowMaestroClient):
            return [item.id for item in client.executions.list(status="completed", per_page=2)]

        async def run() -> list[str]:
            found = await client.executions.list(status="completed", per_page=2)
            assert [item.id for item in found.items] == ["exec_6", "exec_5"]
            return [item.id async for item in found]

        return run()

    with scripted_server(page) as server:
        assert shell.call(server.url, collect) == ["exec_6", "exec_5", "exec_4", "exec_3"]
    assert [request.query["page"] for request in server.requests] == ["1", "2", "3"]
    assert all(request.query["status"] == "completed" for request in server.requests)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failure(400, "validation_error", details=[{"path": "nodes.a"}]), ValidationError),
        (failure(403, "insufficient_scope"), InsufficientScope),
        (failure(429, "rate_limit_exceeded", retry_after="3600"), RateLimitExceeded),
        (failure(503, "service_unavailable"), ServiceUnavailable),
        (response(200, b"<h1>Hello</h1>", media_type="text/html"), UnexpectedResponse),
        (response(302, headers={"Location": "http://example.invalid/"}), UnexpectedResponse),
    ],
)
def test_errors(shell: Shell, answer: Answer, expected: type[Exception]) -> None:
    with scripted_server(answer) as server, pytest.raises(expected):
        shell.call(server.url, lambda client: client.workflows.get("wf_1"))


@pytest.mark.parametrize(
    "value", [float("nan"), object(), "\ud800"], ids=["nan", "object", "surrogate"]
)
def test_inputs_that_are_no_json_are_refused_before_anything_is_sent(
    shell: Shell, value: object
) -> None:
    with (
        scripted_server(success(ACCEPTED)) as server,
        pytest.raises(ConfigurationError, match="JSON"),
    ):
        shell.call(server.url, lambda client: client.workflows.execute("wf_1", {"x": value}))
    assert server.requests == []


def test_a_server_that_does_not_answer_times_out() -> None:
    with (
        scripted_server(Answer([], "stall")) as server,
        FlowMaestroClient(KEY, base_url=server.url, timeout_seconds=0.05, max_retries=0) as client,
        pytest.raises(RequestTimeout),
    ):
        client.workflows.get("wf_1")


def test_an_http_client_of_the_callers_stays_open() -> None:
    with (
        scripted_server(success(WORKFLOW)) as server,
        httpx2.Client(headers={"X-Tenant": "blue"}) as http,
    ):
        with FlowMaestroClient(KEY, base_url=server.url, http_client=http) as client:
            client.workflows.get("wf_1")
        assert not http.is_closed
    assert server.requests[0].headers["x-tenant"] == "blue"


def test_an_asynchronous_http_client_of_the_callers_stays_open() -> None:
    async def run() -> None:
        async with httpx2.AsyncClient() as http:
            async with AsyncFlowMaestroClient(
                KEY, base_url=server.url, http_client=http, headers={"X-Tenant": "blue"}
            ) as client:
                await client.workflows.get("wf_1")
            assert not http.is_closed

    with scripted_server(success(WORKFLOW)) as server:
        asyncio.run(run())
    assert server.requests[0].headers["x-tenant"] == "blue"
