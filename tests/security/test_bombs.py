"""Small requests that would be much, and nodes that give far more than anybody wants."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.api import assert_error, create, execute, finish, greeting
from tests.support.api_walk import Operation, ask, closed, operations_of
from tests.support.server import LiveServer, live_server

MEBIBYTE = 1024 * 1024
HUGE = 100 * MEBIBYTE

NODES = f"""
from flowmaestro import NodeContext, NodeError, node

HUGE = {HUGE}

@node("huge_text")
def huge_text() -> dict:
    return {{"text": "x" * HUGE}}

@node("huge_list")
def huge_list() -> dict:
    return {{"list": [0] * 3_000_000}}

@node("huge_name")
def huge_name() -> dict:
    return {{"x" * HUGE: 1}}

@node("large")
def large() -> dict:
    return {{"text": "x" * 700_000}}

@node("deep")
def deep() -> dict:
    value = []
    for _ in range(100_000):
        value = [value]
    return {{"value": value}}

@node("huge_error")
def huge_error() -> dict:
    raise ValueError("x" * HUGE)

@node("huge_refusal")
def huge_refusal() -> dict:
    raise NodeError("x" * HUGE, code="y" * HUGE)

@node("huge_log")
async def huge_log(context: NodeContext) -> dict:
    for _ in range(20):
        context.log("x" * HUGE)
    for _ in range(5_000):
        context.log("and on")
    return {{}}
"""
KINDS = (
    *("huge_text", "huge_list", "huge_name", "deep", "huge_error", "huge_refusal", "huge_log"),
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    (tmp_path / "huge.py").write_text(NODES)
    async with live_server(tmp_path, nodes=(str(tmp_path / "huge.py"),)) as live:
        yield live


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with server.client() as opened:
        yield opened


async def with_bodies(
    server: LiveServer, client: httpx2.AsyncClient
) -> list[tuple[Operation, str]]:
    """Return each operation that reads a body, with a path of it that is there."""
    workflow_id = await create(client, greeting())
    ids = {"workflow_id": workflow_id, "execution_id": await execute(client, workflow_id, name="A")}
    found = [
        (operation, target)
        for operation in closed(await operations_of(server))
        if operation.has_body
        for target in operation.targets(ids)
    ]
    assert len(found) >= 10
    return found


async def test_no_operation_takes_a_compressed_body(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    zeros = b" " * 10 * MEBIBYTE
    bombs = {
        "gzip": gzip.compress(zeros),
        "x-gzip": gzip.compress(gzip.compress(zeros)),
        "deflate": zlib.compress(zeros),
        "br": b"{}",
        "zstd": b"{}",
        "gzip, identity": gzip.compress(b"{}"),
        "GZIP": gzip.compress(b"{}"),
    }
    for operation, target in await with_bodies(server, client):
        for encoding, body in bombs.items():
            answer = await ask(
                client,
                operation,
                target,
                json=None,
                content=body,
                headers={"Content-Encoding": encoding, "Content-Type": "application/json"},
            )
            error = assert_error(answer, "validation_error")
            assert error["details"]["field"] == "header.Content-Encoding"


DEEP_BODIES = (
    b"[" * MEBIBYTE,
    b'{"a":' * 300_000,
    b'{"inputs":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    b'{"name":"N","nodes":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
)


@pytest.mark.parametrize("body", DEEP_BODIES, ids=range(len(DEEP_BODIES)))
async def test_no_operation_follows_a_body_into_the_deep(
    server: LiveServer, client: httpx2.AsyncClient, body: bytes
) -> None:
    for operation, target in await with_bodies(server, client):
        for media_type in ("application/json", "application/yaml"):
            headers = {"Content-Type": media_type}
            answer = await ask(client, operation, target, json=None, content=body, headers=headers)
            assert_error(answer, "validation_error")
            assert len(answer.content) < 10_000


async def test_what_a_node_gives_is_bounded_and_the_server_goes_on(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = {
        kind: {"type": kind, "config": {}, "on_error": {"strategy": "continue"}} for kind in KINDS
    }
    execution_id = await execute(client, await create(client, greeting(nodes=nodes, edges=[])))
    assert (await finish(client, execution_id))["status"] == "completed"
    assert max(len(record.getMessage()) for record in caplog.records) < 30_000
    path = f"/v1/executions/{execution_id}/events?include=node:log"
    text = (await client.get(path)).text
    lines = text.splitlines()
    assert max(map(len, lines)) < MEBIBYTE + 100
    assert len(text) < 4 * MEBIBYTE
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    failed = {event["node_id"]: event for event in events if event["type"] == "node:failed"}
    assert set(failed) == set(KINDS) - {"huge_log"}
    for kind in ("huge_text", "huge_list", "huge_name"):
        assert failed[kind]["error_code"] == "outputs_too_large"
        assert "are allowed" in failed[kind]["error"]
    assert failed["deep"]["error_code"] == "invalid_result"
    for kind in ("huge_error", "huge_refusal"):
        assert len(failed[kind]["error"]) < 5_000
        assert len(failed[kind]["error_code"]) < 500
    logged = [event for event in events if event["type"] == "node:log"]
    assert max(len(event["message"]) for event in logged) < 9_000
    assert len(logged) <= 1_001  # one more for the number of those that were dropped


async def test_outputs_that_are_too_large_together_fail_the_execution_and_end_it(
    client: httpx2.AsyncClient,
) -> None:
    nodes: dict[str, Any] = {"large": {"type": "large", "config": {}}}
    edges = []
    for name in ("a", "b", "c"):
        config = {"output_name": name, "value": "{{ large.text }}"}
        nodes[name] = {"type": "output", "config": config}
        edges.append({"source": "large", "target": name})
    execution_id = await execute(client, await create(client, greeting(nodes=nodes, edges=edges)))
    ended = await finish(client, execution_id)
    assert ended["status"] == "failed"
    assert ended["error_details"]["code"] == "outputs_too_large"


async def test_inputs_are_bounded_by_the_body_and_are_in_no_event(
    client: httpx2.AsyncClient,
) -> None:
    workflow_id = await create(client, greeting())
    inputs: dict[str, Any] = {"name": "Ada", "rest": "x" * 1_900_000}
    execution_id = await execute(client, workflow_id, **inputs)
    assert (await finish(client, execution_id))["status"] == "completed"
    text = (await client.get(f"/v1/executions/{execution_id}/events")).text
    assert len(text) < 20_000
    too_large = {"inputs": {**inputs, "more": "x" * 1_000_000}}
    answer = await client.post(f"/v1/workflows/{workflow_id}/execute", json=too_large)
    assert_error(answer, "payload_too_large")
