"""Traces where they are off, cannot be had, or have nowhere to go."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support import observed_nodes
from tests.support.api import create, execute, finish, greeting
from tests.support.engine import python_node
from tests.support.http_server import hang, http_server
from tests.support.metrics import scrape
from tests.support.server import free_port, live_server, server_process

NODES = str(Path(observed_nodes.__file__))


async def test_without_the_variables_there_is_no_trace(tmp_path: Path) -> None:
    async with live_server(tmp_path, nodes=(NODES,), trace_hosts=("*",)) as server:
        assert server.parts.tracing is None
        async with server.client() as client:
            node = python_node("own_traceparent")
            execution_id = await execute(
                client, await create(client, greeting(nodes={"own": node}, edges=[]))
            )
            execution = await finish(client, execution_id)
            assert (await scrape(client))("trace_spans_total", outcome="exported") == 0
    assert execution["outputs"]["own"]["value"] is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "'zipkin'"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'grpc'"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_QUEUE_SIZE": "many"}, "QUEUE_SIZE"),
    ],
)
async def test_what_cannot_be_had_is_said_and_done_without(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with live_server(tmp_path) as server, server.client(None) as client:
        assert server.parts.tracing is None
        assert (await client.get("/readyz")).status_code == 200
    [warning] = [r.getMessage() for r in caplog.records if r.name == "flowmaestro.traces"]
    assert warning.startswith("no traces are sent: ")
    assert said in warning


async def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    async with live_server(tmp_path) as server:
        assert server.parts.tracing is None
    [warning] = [r.getMessage() for r in caplog.records if r.name == "flowmaestro.traces"]
    assert 'pip install "flowmaestro[otel]"' in warning


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_it_can_be_switched_off_where_everybody_is_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with live_server(tmp_path) as server:
        assert server.parts.tracing is None


async def test_without_a_collector_everything_goes_on(tmp_path: Path) -> None:
    nowhere = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
    }
    with server_process(tmp_path, nowhere) as server:
        async with server.client(await server.new_key()) as client:
            workflow_id = await create(client, greeting())
            execution_id = await execute(client, workflow_id, name="Ada")
            assert (await finish(client, execution_id))["status"] == "completed"
            while not (await scrape(client))("trace_spans_total", outcome="failed"):
                await asyncio.sleep(0.05)
        assert server.stop() == 0


async def test_a_collector_that_hangs_costs_its_spans_and_nothing_else(tmp_path: Path) -> None:
    async with http_server(hang) as hanging:
        small = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": hanging.url,
            "OTEL_BSP_SCHEDULE_DELAY": "10",
            "OTEL_BSP_MAX_QUEUE_SIZE": "4",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
        }
        with server_process(tmp_path, small) as server:
            async with server.client(await server.new_key()) as client:
                workflow_id = await create(client, greeting())
                for _ in range(20):
                    execution_id = await execute(client, workflow_id, name="Ada")
                    assert (await finish(client, execution_id))["status"] == "completed"
                while not (await scrape(client))("trace_spans_total", outcome="dropped"):
                    await asyncio.sleep(0.01)
                assert (await scrape(client))("queue_depth", queue="trace_spans") <= 4
            assert server.stop() == 0
