"""Authors whose workflows would hold more than the server has."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.api import create, execute, finish, greeting
from tests.support.server import ServerProcess, server_process

NODES = """
from flowmaestro import function

@function
async def large() -> str:
    return "x" * 900_000
"""
LARGE = {"type": "python", "config": {"function": "large", "arguments": {}}}
CONTINUE = {"on_error": {"strategy": "continue"}}
ROOM = 8_000_000
HELD = 8
"""How many large outputs have room."""
MEBIBYTE = 1024 * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "large.py").write_text(NODES)
    environment = {
        "FLOWMAESTRO_NODES": str(tmp_path / "large.py"),
        "FLOWMAESTRO_MAX_EXECUTION_BYTES": str(ROOM),
    }
    with server_process(tmp_path, environment) as process:
        yield process


def chain(nodes: dict[str, Any]) -> dict[str, Any]:
    edges = [{"source": source, "target": target} for source, target in pairwise(nodes)]
    return {"name": "Chain", "nodes": nodes, "edges": edges}


def hoarding(count: int = 200) -> dict[str, Any]:
    """A workflow that holds what each of its nodes gives."""
    return chain({f"n{index}": {**LARGE, **CONTINUE} for index in range(count)})


def looping(items: int = 10_000) -> dict[str, Any]:
    """A workflow whose loop holds what each of its iterations gives."""
    body = {"nodes": {"large": LARGE}, "edges": []}
    each = {"type": "loop", "config": {"items": "{{ items }}", "body": body}}
    return {
        "name": "Loop",
        "nodes": {
            "items": {
                "type": "input",
                "config": {
                    "input_name": "items",
                    "input_type": "array",
                    "default_value": [0] * items,
                },
            },
            "each": each,
        },
        "edges": [{"source": "items", "target": "each"}],
    }


def memory_bytes(server: ServerProcess) -> int:
    """The most memory that the process has had."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def events_of(client: httpx2.AsyncClient, execution_id: str) -> list[dict[str, Any]]:
    text = (await client.get(f"/v1/executions/{execution_id}/events")).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


async def test_a_loop_whose_results_are_too_large_fails_early(server: ServerProcess) -> None:
    async with server.client(await server.new_key()) as client:
        before = memory_bytes(server)
        execution_id = await execute(client, await create(client, looping()))
        ended = await finish(client, execution_id)
        types = Counter(event["type"] for event in await events_of(client, execution_id))
        assert ended["error_details"] == {"code": "outputs_too_large", "node_id": "each"}
        assert "after 2 of 10,000 items, and 1,000,000 are allowed" in ended["error"]
        assert types["node:completed"] == 3
        assert memory_bytes(server) - before < 200 * MEBIBYTE


async def test_executions_that_hoard_end_and_others_are_served(server: ServerProcess) -> None:
    async with server.client(await server.new_key()) as client:
        hoarder = await create(client, hoarding())
        other = await server.new_key(workspace="other")
        async with server.client(other) as neighbour:
            workflow_id = await create(neighbour, greeting())
            assert (await finish(neighbour, await execute(neighbour, workflow_id, name="Ada")))[
                "status"
            ] == "completed"
            before = memory_bytes(server)
            hoarders = [await execute(client, hoarder) for _ in range(4)]
            ends = asyncio.gather(*(finish(client, execution_id) for execution_id in hoarders))
            served = 0
            while not ends.done():
                greeted = await finish(neighbour, await execute(neighbour, workflow_id, name="Ada"))
                assert greeted["status"] == "completed"
                served += 1
            assert served
        for ended in await ends:
            assert ended["status"] == "failed"
            details = {"code": "execution_too_large", "node_id": f"n{HELD}"}
            assert ended["error_details"] == details
            assert "8,000,000 are allowed" in ended["error"]
        assert memory_bytes(server) - before < 300 * MEBIBYTE  # all they would give is 720 MB


async def test_what_is_held_is_counted_on_after_a_crash(server: ServerProcess) -> None:
    key = await server.new_key()
    wait = {"type": "wait", "config": {"duration_ms": 500}}
    nodes = {"a": LARGE, "b": LARGE, "wait": wait} | hoarding(20)["nodes"]
    async with server.client(key) as client:
        execution_id = await execute(client, await create(client, chain(nodes)))
        path = f"/v1/executions/{execution_id}/events?types=node:started"
        async with client.stream("GET", path) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: {") and json.loads(line[6:]).get("node_id") == "wait":
                    break
    server.kill()
    server.start()
    async with server.client(key) as client:
        ended = await finish(client, execution_id)
        events = await events_of(client, execution_id)
    assert ended["error_details"] == {"code": "execution_too_large", "node_id": f"n{HELD - 2}"}
    completed = Counter(event["node_id"] for event in events if event["type"] == "node:completed")
    assert completed.total() == len(completed) == HELD + 1
