"""A server whose disk, with its database and its log file, fills up while it works."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.api import assert_error, create, execute, finish
from tests.support.crash_nodes import chain
from tests.support.server import http_client, server_process
from tests.support.small_disk import small_disk

HOLD = """
import asyncio
from pathlib import Path
from flowmaestro import function

@function
async def hold(folder: str) -> str:
    while not Path(folder, "released").exists():
        await asyncio.sleep(0.01)
    return "x" * 100_000
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs tmpfs or prlimit")
@pytest.mark.parametrize("mounted", [True, False], ids=["file-system", "file-size"])
async def test_a_full_disk_refuses_new_work_and_what_was_accepted_goes_on_by_itself(
    tmp_path: Path, mounted: bool
) -> None:
    nodes = tmp_path / "nodes.py"
    nodes.write_text(HOLD)
    folder = tmp_path / "disk"
    folder.mkdir()
    with (
        small_disk(folder, mounted=mounted) as disk,
        server_process(folder, {"FLOWMAESTRO_NODES": str(nodes)}) as server,
    ):
        async with http_client(server.base_url, await server.new_key(), timeout=60) as client:
            workflow_id = await create(client, chain("hold", "hold"))
            inputs = {"inputs": {"folder": str(tmp_path)}}
            accepted = await execute(client, workflow_id, folder=str(tmp_path))
            async with client.stream("GET", f"/v1/executions/{accepted}/events") as response:
                texts = response.aiter_text()
                received = ""
                while '"node_id":"n1"' not in received:
                    received += await anext(texts)
                disk.fill(server.process.pid)
                (tmp_path / "released").touch()
                for method, path, body in (
                    ("POST", f"/v1/workflows/{workflow_id}/execute", inputs),
                    ("PUT", f"/v1/workflows/{workflow_id}", chain("hold")),
                    ("DELETE", f"/v1/workflows/{workflow_id}", None),
                ):
                    refused = await client.request(method, path, json=body)
                    assert_error(refused, "service_unavailable")
                    assert refused.headers["Retry-After"]
                for path in ("/readyz", f"/v1/executions/{accepted}", "/v1/workflows"):
                    assert (await client.get(path)).status_code == 200
                disk.make_room(server.process.pid)
                async for text in texts:
                    received += text
            numbers = [int(number) for number in re.findall(r"^id: (\d+)$", received, re.MULTILINE)]
            assert numbers == list(range(1, len(numbers) + 1))
            assert "event: execution:completed" in received.rsplit("id: ", 1)[-1]
            again = await execute(client, workflow_id, folder=str(tmp_path))
            assert (await finish(client, again))["status"] == "completed"
            page = (await client.get("/v1/executions")).json()
            assert [found["id"] for found in page["data"]] == [again, accepted]
            stored = (await client.get(f"/v1/workflows/{workflow_id}")).json()["data"]
            assert stored["version"] == 1
        assert server.stop() == 0
