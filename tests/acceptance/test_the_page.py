"""The stream as a user meets it: curl against a server, resumed at every cursor."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from flowmaestro import FlowMaestroClient
from tests.support.server import server_process

WORKFLOW = {
    "name": "Greeting",
    "nodes": {
        "who": {"type": "input", "config": {"input_name": "who", "required": True}},
        "greet": {"type": "transform", "config": {"value": {"text": "Hello {{ who }}"}}},
        "out": {"type": "output", "config": {"output_name": "text", "value": "{{ greet.text }}"}},
    },
    "edges": [{"source": "who", "target": "greet"}, {"source": "greet", "target": "out"}],
}


def curl(url: str, key: str, *options: str) -> str:
    """Run the page's command."""
    command = ["curl", "-sN", "--max-time", "20", url, "-H", f"X-API-Key: {key}"]
    command += ["-H", "Accept: text/event-stream", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def frames(stream: str) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in block.split("\n"))
        for block in stream.removesuffix("\n\n").split("\n\n")
    ]


async def test_the_pages_command_prints_the_pages_events_in_order(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        key = await server.new_key()
        with FlowMaestroClient(api_key=key, base_url=server.base_url) as client:
            workflow = client.workflows.create(WORKFLOW)
            execution_id = client.workflows.execute(workflow.id, {"who": "you"}).execution_id
        for prefix in ("/v1", "/api/v1"):
            url = f"{server.base_url}{prefix}/executions/{execution_id}/events"
            connected, *events = frames(curl(url, key))

            assert connected["event"] == "connected"
            assert "id" not in connected
            assert json.loads(connected["data"])["execution_id"] == execution_id
            assert [event["event"] for event in events] == [
                "execution:started",
                *["node:started", "node:completed", "execution:progress"] * 3,
                "execution:completed",
            ]
            assert [int(event["id"]) for event in events] == list(range(1, 12))
            last = json.loads(events[-1]["data"])
            assert last["status"] == "completed"
            assert last["outputs"] == {"text": "Hello you"}

        for cursor in range(11):
            again = frames(curl(url, key, "-H", f"Last-Event-ID: {cursor}"))
            assert again[1:] == events[cursor:]
        status = curl(url, key, "-H", "Last-Event-ID: 11", "-o", "/dev/null", "-w", "%{http_code}")
        assert status == "204"
