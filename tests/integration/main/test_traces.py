"""Traces of a real server, as a real collector gets them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.workflow.trace_context import execution_context
from tests.support import observed_nodes
from tests.support.api import create, execute, finish, waiting
from tests.support.collector import Collector, ReceivedSpan, collector
from tests.support.engine import python_node
from tests.support.http_server import http_server, json_response, response
from tests.support.metrics import scrape
from tests.support.server import LiveServer, ServerProcess, live_server, server_process
from tests.support.streaming import until

NODES = str(Path(observed_nodes.__file__))
SECRET = "correct-horse-battery"
RETRY = {"max_attempts": 2, "initial_delay_ms": 1, "backoff": "fixed", "max_delay_ms": 1}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def collecting() -> AsyncIterator[Collector]:
    async with collector() as started:
        yield started


@pytest.fixture
async def server(
    tmp_path: Path, collecting: Collector, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LiveServer]:
    """A server in this process that sends its traces."""
    for name, value in collecting.environment.items():
        monkeypatch.setenv(name, value)
    async with live_server(tmp_path, nodes=(NODES,), max_concurrent_executions=1) as live:
        yield live


def definition(nodes: dict[str, Any], *edges: tuple[str, str], **members: Any) -> dict[str, Any]:
    return {
        "name": "Traced",
        "nodes": nodes,
        "edges": [{"source": source, "target": target} for source, target in edges],
        **members,
    }


def environment(collecting: Collector, **more: str) -> dict[str, str]:
    return {"FLOWMAESTRO_NODES": NODES, **collecting.environment, **more}


async def executed(client: httpx2.AsyncClient, workflow_id: str, **headers: str) -> str:
    """Start an execution with these headers, and return its id when it has ended."""
    path = f"/v1/workflows/{workflow_id}/execute"
    started = await client.post(path, headers=headers)
    assert started.status_code == 202, started.text
    execution_id: str = started.json()["data"]["execution_id"]
    await finish(client, execution_id)
    return execution_id


def by_attempt(spans: list[ReceivedSpan]) -> dict[tuple[str, int], ReceivedSpan]:
    return {(span["node.id"], span["node.attempt"]): span for span in spans if span["node.id"]}


def root_of(spans: list[ReceivedSpan]) -> ReceivedSpan:
    [root] = [span for span in spans if span["execution.status"]]
    return root


async def test_a_span_for_each_attempt_below_the_executions(
    tmp_path: Path, collecting: Collector
) -> None:
    failing = definition(
        {
            "again": python_node("fail_until", {"attempt": 2}, retry=RETRY),
            "fails": python_node("raise_error", {"text": "no {{ secrets.TOKEN }} here"}),
        },
        ("again", "fails"),
    )
    with server_process(
        tmp_path, environment(collecting, FLOWMAESTRO_SECRET_TOKEN=SECRET)
    ) as server:
        async with server.client(await server.new_key()) as client:
            workflow_id = await create(client, failing)
            execution_id = await executed(client, workflow_id)
            spans = await collecting.trace(execution_id)
            seen = await scrape(client)
        assert server.stop() == 0

    context = execution_context(execution_id)
    assert {span.trace_id for span in spans} == {context.trace_id}
    root = root_of(spans)
    assert (root.span_id, root.parent_span_id) == (context.span_id, "")
    assert root.name == "execute Traced"
    assert root["workflow.id"] == workflow_id
    assert root["workspace"] == "default"
    assert root["execution.status"] == "failed"
    assert root["execution.failed_node_id"] == "fails"
    assert root.failed
    assert root.resource["service.name"] == "flowmaestro"
    attempts = by_attempt(spans)
    assert {key: span["node.outcome"] for key, span in attempts.items()} == {
        ("again", 1): "retried",
        ("again", 2): "completed",
        ("fails", 1): "failed",
    }
    for (node_id, number), span in attempts.items():
        assert span.span_id == context.attempt(node_id, number).span_id
        assert span.parent_span_id == root.span_id
        assert span["node.type"] == "python"
        assert root.start_ns <= span.start_ns <= span.end_ns <= root.end_ns
    assert attempts["again", 1].failed
    assert attempts["again", 1].attributes["error.type"] == "not_yet"
    assert not attempts["again", 2].failed
    assert attempts["fails", 1].attributes["error.type"] == "node_error"
    assert "***" in attempts["fails", 1].message
    assert SECRET.encode() not in collecting.bodies
    assert seen("trace_spans_total", outcome="exported") == len(spans)
    assert seen("queue_limit", queue="trace_spans") == 2048
    assert {json.loads(line).get("trace_id") for line in server.log.splitlines()} == {
        None,
        context.trace_id,
    }


async def test_what_a_container_holds_is_below_it(
    server: LiveServer, collecting: Collector
) -> None:
    body = definition({"inner": python_node("say", {"text": "hello"})})
    async with server.client() as client:
        called = await create(client, {**body, "name": "Called"})
        nested = definition(
            {
                "each": {"type": "loop", "config": {"items": [1, 2], "body": body}},
                "call": {"type": "workflow", "config": {"workflow_id": called}},
            },
            ("each", "call"),
        )
        execution_id = await executed(client, await create(client, nested))
        spans = await collecting.trace(execution_id)
    attempts = {node_id: span for (node_id, _), span in by_attempt(spans).items()}
    above = {
        "each": root_of(spans).span_id,
        "call": root_of(spans).span_id,
        "each[0].inner": attempts["each"].span_id,
        "each[1].inner": attempts["each"].span_id,
        "call.inner": attempts["call"].span_id,
    }
    assert {node_id: span.parent_span_id for node_id, span in attempts.items()} == above


async def test_a_request_that_is_traced_is_the_parent(
    server: LiveServer, collecting: Collector
) -> None:
    async with server.client() as client:
        node = python_node("own_traceparent")
        workflow_id = await create(client, definition({"own": node}))
        execution_id = await executed(client, workflow_id, traceparent=PARENT)
        spans = await collecting.trace(execution_id)
        unsampled = await executed(client, workflow_id, traceparent=PARENT[:-2] + "00")
        broken = await executed(client, workflow_id, traceparent="00-nonsense")
        told = (await client.get(f"/v1/executions/{unsampled}")).json()["data"]["outputs"]
        assert root_of(await collecting.trace(broken)).parent_span_id == ""
    _, trace_id, span_id, _ = PARENT.split("-")
    assert {span.trace_id for span in spans} == {trace_id}
    assert root_of(spans).parent_span_id == span_id
    assert collecting.of(unsampled) == []
    header = told["own"]["value"]
    assert header.startswith(f"00-{trace_id}-")
    assert header.endswith("-00")


async def test_a_sampled_trace_is_whole_and_any_other_is_not_there(
    tmp_path: Path, collecting: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    for name, value in {**collecting.environment, **half}.items():
        monkeypatch.setenv(name, value)
    async with live_server(tmp_path, nodes=(NODES,)) as server, server.client() as client:
        node = python_node("own_traceparent")
        workflow_id = await create(client, definition({"own": node}))
        headers: dict[str, str] = {}
        while len({header[-2:] for header in headers.values()}) < 2:  # at first, all may be alike
            execution_id = await execute(client, workflow_id)
            outputs = (await finish(client, execution_id))["outputs"]
            headers[execution_id] = outputs["own"]["value"]
        sampled = [id_ for id_, header in headers.items() if header.endswith("-01")]
        for execution_id in sampled:
            assert len(await collecting.trace(execution_id)) == 2
    assert {span["execution.id"] for span in collecting.spans} == set(sampled)


async def test_a_server_that_was_killed_and_its_successor_make_one_trace(
    tmp_path: Path, collecting: Collector
) -> None:
    nodes = {
        "first": python_node("say", {"text": "hello"}),
        "second": python_node("hang_once"),
        "third": python_node("own_traceparent"),
    }
    chain = definition(nodes, ("first", "second"), ("second", "third"))
    # Not before it is killed: what ended there is in its memory, and lost with it.
    late = environment(collecting, OTEL_BSP_SCHEDULE_DELAY="60000")
    server = ServerProcess(tmp_path, late)
    try:
        server.start()
        key = await server.new_key()
        async with server.client(key) as client:
            workflow_id = await create(client, chain)
            path = f"/v1/workflows/{workflow_id}/execute"
            started = await client.post(path, headers={"traceparent": PARENT})
            execution_id = started.json()["data"]["execution_id"]
            await until((tmp_path / "hanging").exists)
        server.kill()
        assert collecting.spans == []
        server.start()
        async with server.client(key) as client:
            outputs = (await finish(client, execution_id))["outputs"]
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    spans = await collecting.trace(execution_id)
    _, trace_id, span_id, _ = PARENT.split("-")
    assert {span.trace_id for span in spans} == {trace_id}
    assert root_of(spans).parent_span_id == span_id
    attempts = by_attempt(spans)
    assert {key: span["node.outcome"] for key, span in attempts.items()} == {
        ("first", 1): "completed",
        ("second", 1): "interrupted",
        ("second", 2): "completed",
        ("third", 1): "completed",
    }
    assert len({span.span_id for span in spans}) == len(spans)
    assert attempts["second", 1].attributes["error.type"] == "interrupted"
    assert outputs["third"]["value"] == f"00-{trace_id}-{attempts['third', 1].span_id}-01"


async def test_what_is_sent_twice_is_the_same(
    tmp_path: Path, collecting: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in collecting.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    nodes = {"first": python_node("say", {"text": "hello"}), "second": python_node("hang_once")}
    async with (
        live_server(tmp_path, nodes=(NODES,), shutdown_grace_seconds=0) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, definition(nodes, ("first", "second")))
        execution_id = await execute(client, workflow_id)
        await until(lambda: len(collecting.spans) == 1)
        await until((tmp_path / "hanging").exists)
    async with live_server(tmp_path, nodes=(NODES,)) as server, server.client() as client:
        await finish(client, execution_id)
        spans = await collecting.trace(execution_id)
    once, twice = (replace(span, resource={}) for span in spans if span["node.id"] == "first")
    assert once == twice
    assert Counter(span["node.outcome"] for span in spans) == {
        None: 1,
        "completed": 3,
        "interrupted": 1,
    }


async def test_an_execution_that_is_cancelled_before_it_began_has_a_trace(
    server: LiveServer, collecting: Collector
) -> None:
    async with server.client() as client:
        workflow_id = await create(client, waiting())
        running, pending = [await execute(client, workflow_id) for _ in range(2)]
        for execution_id in (pending, running):
            await client.post(
                f"/v1/executions/{execution_id}/cancel", json={"reason": f"Enough: {server.key}"}
            )
        [alone] = await collecting.trace(pending)
        spans = await collecting.trace(running)
    assert alone["execution.status"] == "cancelled"
    assert alone["execution.cancel_reason"] == "Enough: fm_test_***"
    assert server.key.encode() not in collecting.bodies
    assert Counter(span["node.outcome"] for span in spans) == {None: 1, "cancelled": 1}


async def test_a_key_in_a_name_is_not_told(server: LiveServer, collecting: Collector) -> None:
    nodes = {"a": {"type": "transform", "name": f"With {server.key}", "config": {"value": 1}}}
    async with server.client() as client:
        workflow_id = await create(client, definition(nodes, name=f"Of {server.key}"))
        execution_id = await execute(client, workflow_id)
        spans = await collecting.trace(execution_id)
    assert {span.name for span in spans} == {"execute Of fm_test_***", "With fm_test_***"}
    assert server.key.encode() not in collecting.bodies


# Onward.


async def test_only_hosts_that_may_be_told_are_told_of_the_trace(
    tmp_path: Path, collecting: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in collecting.environment.items():
        monkeypatch.setenv(name, value)
    reach = {"trace_hosts": ("127.0.0.*",), "http_allowed_networks": ("loopback",)}
    async with http_server(json_response({})) as told, http_server(json_response({})) as untold:
        redirecting = response(307, headers={"Location": f"http://localhost:{untold.port}/"})
        async with (
            http_server(redirecting) as away,
            live_server(tmp_path, **reach) as server,
            server.client() as client,
        ):

            def ask(url: str, **config: Any) -> dict[str, Any]:
                return {"type": "http", "config": {"url": url, **config}}

            nodes = {
                "told": ask(told.url),
                "own": ask(told.url, headers={"Traceparent": PARENT}),
                "untold": ask(f"http://localhost:{untold.port}/"),
                "away": ask(away.url),
            }
            execution_id = await execute(client, await create(client, definition(nodes)))
            assert (await finish(client, execution_id))["status"] == "completed"
    context = execution_context(execution_id)
    assert {request.headers.get("traceparent") for request in told.requests} == {
        context.attempt("told", 1).traceparent,
        PARENT,
    }
    assert away.requests[0].headers["traceparent"] == context.attempt("away", 1).traceparent
    assert len(untold.requests) == 2
    assert not any("traceparent" in request.headers for request in untold.requests)
