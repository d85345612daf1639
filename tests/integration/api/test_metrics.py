"""``/metrics``: is it healthy, is it losing, who is slow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from flowmaestro.main import vitals
from flowmaestro.storage import EventLog, Storage
from tests.support import observed_nodes
from tests.support.api import create, execute, finish, greeting, waiting
from tests.support.engine import python_node
from tests.support.metrics import scrape
from tests.support.raw_http import IdleReader
from tests.support.server import LiveServer, database_url, live_server
from tests.support.storage import note
from tests.support.streaming import until

NODES = str(Path(observed_nodes.__file__))
RETRY = {"max_attempts": 2, "initial_delay_ms": 1, "backoff": "fixed", "max_delay_ms": 1}


def one_node(node: dict[str, object]) -> dict[str, object]:
    return {"name": "one", "nodes": {"n": node}, "edges": []}


async def test_executions_and_attempts_by_how_they_ended(tmp_path: Path) -> None:
    async with live_server(tmp_path, nodes=(NODES,)) as server, server.client() as client:
        for node in (
            python_node("fail_until", {"attempt": 2}, retry=RETRY),
            python_node("raise_error", {"text": "no"}),
        ):
            await finish(client, await execute(client, await create(client, one_node(node))))
        waits = await execute(client, await create(client, waiting()))
        await client.post(f"/v1/executions/{waits}/cancel")
        seen = await scrape(client)
    for status in ("completed", "failed", "cancelled"):
        assert seen("execution_duration_seconds_count", status=status) == 1
    for outcome, count in (("completed", 1), ("failed", 1), ("retried", 1), ("interrupted", 0)):
        labels = {"node_type": "python", "outcome": outcome}
        assert seen("node_attempt_duration_seconds_count", **labels) == count, outcome
    assert seen("executions_accepted_total") == 3
    assert seen("log_append_seconds_count") == seen("log_appends_total") > 0
    assert seen("log_append_seconds_sum") > 0
    assert seen("storage_commit_seconds_count") > 0


async def test_what_an_earlier_server_left_is_counted(tmp_path: Path) -> None:
    async with live_server(tmp_path, shutdown_grace_seconds=0) as server, server.client() as client:
        execution_id = await execute(client, await create(client, waiting(200)))
        await client.get(f"/v1/executions/{execution_id}/events?wait=5&follow=false")
    async with live_server(tmp_path) as server, server.client() as client:
        await finish(client, execution_id)
        seen = await scrape(client)
    assert seen("executions_recovered_total") == 1
    labels = {"node_type": "wait", "outcome": "interrupted"}
    assert seen("node_attempt_duration_seconds_count", **labels) == 1


async def test_every_bounded_queue_has_its_depth_and_its_limit(tmp_path: Path) -> None:
    bounds = {
        "max_concurrent_nodes": 11,
        "max_concurrent_executions": 12,
        "max_unfinished_executions": 1,
        "max_streams": 14,
    }
    async with live_server(tmp_path, **bounds) as server, server.client() as client:
        workflow_id = await create(client, waiting())
        await execute(client, workflow_id)
        refused = await client.post(f"/v1/workflows/{workflow_id}/execute")
        assert refused.status_code == 503
        seen = await scrape(client)
    limits = {
        "running_nodes": 11,
        "active_executions": 12,
        "unfinished_executions": 1,
        "streams": 14,
    }
    for queue, limit in limits.items():
        assert seen("queue_limit", queue=queue) == limit
    assert seen("queue_depth", queue="unfinished_executions") == 1
    assert seen("queue_limit", queue="log_writes") > 0
    assert seen("executions_refused_total") == 1
    assert seen("http_errors_total", code="service_unavailable") == 1


async def test_a_database_that_refuses_is_counted(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, max_database_bytes=1_000_000) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, greeting())
        large = {"inputs": {"name": "x" * 50_000}}
        path = f"/v1/workflows/{workflow_id}/execute"
        while (await client.post(path, json=large)).status_code == 202:
            pass
        assert (await scrape(client))("storage_errors_total", operation="write") >= 1


async def test_refused_keys_and_tickets_are_told_apart(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await execute(client, await create(client, greeting()), name="Ada")
    path = f"/v1/executions/{execution_id}/events"
    expired = await server.new_key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    reader = await server.new_key(scopes=frozenset({"executions:read"}))
    async with server.client(None) as anonymous:
        await anonymous.get("/v1/executions")
        await anonymous.get(f"{path}?ticket=fm_ticket_v1.nonsense")
        await anonymous.get("/v1/executions", headers={"X-API-Key": expired})
        await anonymous.post("/v1/workflows", json=greeting(), headers={"X-API-Key": reader})
    seen = await scrape(client)
    for code, credential in (
        ("invalid_api_key", "key"),
        ("invalid_api_key", "ticket"),
        ("expired_api_key", "key"),
        ("insufficient_scope", "key"),
    ):
        assert seen("authentication_failures_total", code=code, credential=credential) == 1, code


async def test_nothing_is_lost_and_the_counters_that_would_say_so_stay_at_zero(
    client: httpx2.AsyncClient,
) -> None:
    workflow_id = await create(client, waiting(100))
    for _ in range(3):
        await finish(client, await execute(client, workflow_id))
    seen = await scrape(client)
    assert seen("stream_events_delivered_total") > 0
    assert seen("stream_delivery_seconds_count") > 0
    for source in ("commits", "log"):
        assert seen("stream_gaps_total", source=source) == 0
    for name in ("stream_repeats", "log_conflicts", "engine_failures", "stream_log_failures"):
        assert f"flowmaestro_{name}_total 0.0" in seen.text, name


async def test_numbers_that_jump_are_counted_and_the_reader_misses_none(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    execution_id = await execute(client, await create(client, waiting()))
    path = f"/v1/executions/{execution_id}/events?include=node:log"
    async with client.stream("GET", path) as events:
        await until(lambda: server.parts.hub.gauges().level == 1)
        log: EventLog = server.parts.storage.log
        await log.append(execution_id, [note(execution_id)])
        async with await Storage.open(database_url(server.parts.storage.path.parent)) as other:
            await other.log.append(execution_id, [note(execution_id)])  # the hub hears nothing
        records = await log.append(execution_id, [note(execution_id)])
        numbers: list[int] = []
        async for line in events.aiter_lines():
            if line.startswith("id: "):
                numbers.append(int(line[4:]))
                if numbers[-1] == records[-1].number:
                    break
    assert numbers == list(range(1, records[-1].number + 1))
    assert (await scrape(client))("stream_gaps_total", source="commits") == 1


async def test_how_far_the_slowest_reader_is_behind(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, stream_buffer_bytes=16 * 1024) as server,
        server.client() as client,
    ):
        execution_id = await execute(client, await create(client, waiting()))
        port = int(server.base_url.rpartition(":")[2])
        path = f"/v1/executions/{execution_id}/events?include=node:log"
        idle = IdleReader(port, path, headers={"X-API-Key": server.key})
        hub, log = server.parts.hub, server.parts.storage.log
        await until(lambda: hub.gauges().level == 1)
        while not hub.gauges().behind:
            await log.append(execution_id, [note(execution_id, "x" * 100_000)] * 10)
        await log.append(execution_id, [note(execution_id, "x" * 100_000)] * 7)
        seen = await scrape(client)
        idle.close()
    assert seen("stream_largest_lag_events") >= 7
    assert seen("streams_behind") == 1
    assert seen("stream_overflows_total") == 1


async def test_messages_of_nodes_that_are_dropped_are_counted(tmp_path: Path) -> None:
    async with live_server(tmp_path, nodes=(NODES,)) as server, server.client() as client:
        node = python_node("chatter", {"count": 20_000})
        await finish(client, await execute(client, await create(client, one_node(node))))
        seen = await scrape(client)
        recorded = seen("events_appended_total", type="node:log")
    dropped = seen("node_messages_dropped_total")
    assert recorded + dropped >= 20_000


async def test_what_waits_is_as_old_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals, "BEAT_SECONDS", 0.005)
    async with (
        live_server(tmp_path, max_concurrent_executions=1) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, waiting())
        assert (await scrape(client))("oldest_pending_execution_seconds") == 0
        for _ in range(2):
            await execute(client, workflow_id)
        while not (await scrape(client))("oldest_pending_execution_seconds"):
            pass
        seen = await scrape(client)
    assert seen("event_loop_lag_seconds_count") > 0
    assert seen("database_bytes", file="main") > 0
    assert seen("disk_free_bytes") > 0
    assert "process_open_fds" in seen.names
    assert "process_resident_memory_bytes" in seen.names


async def test_removed_events_are_counted(tmp_path: Path) -> None:
    settings = {"retention_max_events": 1, "retention_interval_seconds": 0.01}
    async with live_server(tmp_path, **settings) as server, server.client() as client:
        await execute(client, await create(client, greeting()), name="Ada")
        while not (await scrape(client))("retention_events_removed_total"):
            pass
