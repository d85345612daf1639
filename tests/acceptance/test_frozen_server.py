"""A server that is stopped and goes on, as in a machine that slept: its streams do not notice."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from flowmaestro import events
from tests.support.api import create, execute
from tests.support.server import http_client, server_process
from tests.support.waiting import PATIENCE_SECONDS

HOLD = """
import asyncio
from pathlib import Path
from flowmaestro import function

@function
async def hold() -> None:
    while not Path("released").exists():
        await asyncio.sleep(0.01)
"""
HEARTBEAT_SECONDS = 0.1
STALLED_SECONDS = 0.4
FROZEN_SECONDS = 1.0
HEARTBEAT = events.HEARTBEAT.decode()


async def test_a_stream_goes_on_after_its_server_was_frozen(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text(HOLD)
    environment = {
        "FLOWMAESTRO_NODES": str(tmp_path / "hold.py"),
        "FLOWMAESTRO_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "FLOWMAESTRO_STALLED_READER_SECONDS": str(STALLED_SECONDS),
    }
    hold = {"type": "python", "config": {"function": "hold", "arguments": {}}}
    wait = {"type": "wait", "config": {"duration_ms": 200}}
    with server_process(tmp_path, environment) as server:
        async with http_client(server.base_url, await server.new_key()) as client:
            workflow_id = await create(
                client, {"name": "Frozen", "nodes": {"hold": hold, "wait": wait}, "edges": []}
            )
            execution_id = await execute(client, workflow_id)
            path = f"/v1/executions/{execution_id}/events"
            async with client.stream("GET", path) as response:
                texts = response.aiter_text()
                received = ""
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while received.count("node:started") < 2 or not received.endswith(HEARTBEAT):
                        received += await anext(texts)
                server.process.send_signal(signal.SIGSTOP)
                (tmp_path / "released").touch()
                time.sleep(FROZEN_SECONDS)  # the freeze itself: nothing is waited for
                server.process.send_signal(signal.SIGCONT)
                async for text in texts:
                    received += text
            execution = (await client.get(f"/v1/executions/{execution_id}")).json()["data"]
            replayed = (await client.get(path)).text
        assert server.stop() == 0
    assert execution["status"] == "completed"
    assert execution["duration_ms"] >= FROZEN_SECONDS * 1_000
    assert without_heartbeats(received) == without_heartbeats(replayed)


def without_heartbeats(received: str) -> list[str]:
    """Return the frames after the first, which tells how the log stood."""
    return [frame for frame in received.split("\n\n")[1:] if f"{frame}\n\n" != HEARTBEAT]
