"""A server that is killed in the middle of executions, again and again, and its readers."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flowmaestro import AsyncFlowMaestroClient, Event
from tests.support.server import server_process

NODES = 12
KILLS = 3

STEPS = """
import asyncio
from pathlib import Path

from flowmaestro import NodeContext, function


@function
async def step(context: NodeContext) -> str:
    with Path("attempts.txt").open("a") as file:
        file.write(f"{context.execution_id} {context.node_id} {context.attempt}\\n")
    await context.progress(50)
    await asyncio.sleep(0.05)
    return context.node_id
"""


def chain() -> dict[str, Any]:
    step = {"type": "python", "config": {"function": "step", "arguments": {}}}
    names = [f"n{index}" for index in range(NODES)]
    return {
        "name": "chain",
        "nodes": dict.fromkeys(names, step),
        "edges": [{"source": source, "target": target} for source, target in pairwise(names)],
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
async def test_every_event_once_in_order_through_kills(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(STEPS)
    environment = {
        "FLOWMAESTRO_NODES": str(tmp_path / "steps.py"),
        "FLOWMAESTRO_PORT": str(free_port()),
    }
    with server_process(tmp_path, environment) as server:
        key = await server.new_key()
        async with AsyncFlowMaestroClient(api_key=key, base_url=server.base_url) as client:
            workflow = await client.workflows.create(chain())
            ids = [(await client.workflows.execute(workflow.id, {})).execution_id for _ in range(5)]
            seen: dict[tuple[str, int], list[Event]] = {}

            async def follow(execution_id: str, reader: int) -> None:
                events = seen.setdefault((execution_id, reader), [])
                async for event in client.executions.stream(
                    execution_id, include=["node:retrying", "node:skipped", "node:log"]
                ):
                    events.append(event)

            readers = [
                asyncio.create_task(follow(execution_id, reader))
                for execution_id in ids
                for reader in range(2)
            ]
            for kill in range(1, KILLS + 1):
                while sum(map(len, seen.values())) < 60 * kill:
                    await asyncio.sleep(0.005)
                server.kill()
                server.start()
            async with asyncio.timeout(60):
                await asyncio.gather(*readers)

            for execution_id in ids:
                first, second = (seen[execution_id, reader] for reader in range(2))
                assert [event.number for event in first] == list(range(1, len(first) + 1))
                assert first == second
                assert first[-1].type == "execution:completed"
                assert (await client.executions.get(execution_id)).status == "completed"
            interrupted = [
                event
                for events in seen.values()
                for event in events
                if event.type == "node:retrying"
            ]
            assert interrupted, "no kill met a running node"

    made = Counter((tmp_path / "attempts.txt").read_text().splitlines())
    assert set(made.values()) == {1}, "an attempt ran twice"
    nodes = {tuple(line.split()[:2]) for line in made}
    assert len(nodes) == 5 * NODES
