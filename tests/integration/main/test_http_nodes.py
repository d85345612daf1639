"""What the ``http`` nodes of a server, and of a run without one, may reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.events import ExecutionCompleted, NodeFailed
from flowmaestro.main.local_run import local_run
from flowmaestro.main.settings import Settings
from tests.support.api import create, execute, finish
from tests.support.http_server import http_server, json_response
from tests.support.server import live_server, server_process

SECRET = "internal-service-17"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FLOWMAESTRO_HTTP_ALLOWED_NETWORKS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def fetching(url: str) -> dict[str, Any]:
    retry = {"max_attempts": 3, "initial_delay_ms": 1}
    nodes = {
        "fetch": {"type": "http", "config": {"url": url}, "retry": retry},
        "out": {"type": "output", "config": {"output_name": "body", "value": "{{ fetch.body }}"}},
    }
    return {"name": "F", "nodes": nodes, "edges": [{"source": "fetch", "target": "out"}]}


async def failed_event(client: httpx2.AsyncClient, execution_id: str) -> dict[str, Any]:
    answer = await client.get(
        f"/api/v1/executions/{execution_id}/events?follow=false&types=node:failed"
    )
    [failed, _terminal] = answer.json()["data"]
    assert isinstance(failed, dict)
    return failed


async def test_a_server_reaches_public_addresses_only(tmp_path: Path) -> None:
    async with (
        http_server(json_response({"inside": True})) as inside,
        live_server(tmp_path) as server,
        server.client() as client,
    ):
        execution_id = await execute(client, await create(client, fetching(inside.url)))
        execution = await finish(client, execution_id)
        failed = await failed_event(client, execution_id)
        own = await execute(client, await create(client, fetching(f"{server.base_url}/metrics")))
        assert (await finish(client, own))["error_details"]["code"] == "http_address_forbidden"
    assert execution["status"] == "failed"
    assert execution["error_details"] == {"code": "http_address_forbidden", "node_id": "fetch"}
    assert failed["error_code"] == "http_address_forbidden"
    assert failed["attempt"] == 1  # not retried
    assert "'127.0.0.1'" in failed["error"]
    assert "FLOWMAESTRO_HTTP_ALLOWED_NETWORKS" in failed["error"]
    assert inside.connections == 0


async def test_a_server_reaches_what_its_operator_allows(tmp_path: Path) -> None:
    environment = {
        "FLOWMAESTRO_HTTP_ALLOWED_NETWORKS": "127.0.0.1, 10.0.0.0/8",
        "FLOWMAESTRO_SECRET_HOST": SECRET,
    }
    async with (
        http_server(json_response({"inside": True})) as inside,
        http_server(json_response({"inside": True}), host="127.0.0.2") as other,
    ):
        with server_process(tmp_path, environment) as server:
            headers = {"X-API-Key": await server.new_key()}
            async with httpx2.AsyncClient(
                base_url=server.base_url, headers=headers, timeout=30, trust_env=False
            ) as client:
                allowed = await execute(client, await create(client, fetching(inside.url)))
                assert (await finish(client, allowed))["outputs"] == {"body": {"inside": True}}
                forbidden = await execute(client, await create(client, fetching(other.url)))
                execution = await finish(client, forbidden)
                assert execution["error_details"]["code"] == "http_address_forbidden"
                # A secret in a host's name is no more told than elsewhere.
                url = "http://{{ secrets.HOST }}@[::1]:{{ 5 + 4 }}/{{ secrets.HOST }}"
                await finish(client, await execute(client, await create(client, fetching(url))))
            log = server.log
    assert other.connections == 0
    assert "an http node was refused 127.0.0.2, which is 127.0.0.2" in log
    assert "an http node was refused ::1" in log
    assert SECRET not in log


async def test_a_run_without_a_server_reaches_everything(tmp_path: Path) -> None:
    async with http_server(json_response("hello")) as inside:
        async with local_run(Settings(), fetching(inside.url), {}) as run:
            *_, last = [event async for event in run.events()]
        assert isinstance(last, ExecutionCompleted)
        assert last.outputs == {"body": "hello"}


async def test_a_run_without_a_server_keeps_to_the_setting_if_there_is_one(tmp_path: Path) -> None:
    settings = Settings(http_allowed_networks=("10.0.0.0/8",))
    async with (
        http_server(json_response("hello")) as inside,
        local_run(settings, fetching(inside.url), {}) as run,
    ):
        events = [event async for event in run.events()]
    [failed] = [event for event in events if isinstance(event, NodeFailed)]
    assert failed.error_code == "http_address_forbidden"
    assert inside.connections == 0
