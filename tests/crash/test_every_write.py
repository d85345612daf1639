"""The points are made of what the program writes: of nothing less, and of nothing that is gone."""

from __future__ import annotations

from pathlib import Path

from tests.crash import test_executions, test_writes
from tests.support.api import create, execute, greeting
from tests.support.crash_nodes import chain
from tests.support.crash_points import WRITES, Point
from tests.support.crash_process import crash_process
from tests.support.server import http_client
from tests.support.waiting import wait_until

KEYS_CREATE = ("keys", "create", "--name", "a", "--bundle", "full-access")


async def test_every_statement_that_writes_has_a_point(tmp_path: Path) -> None:
    record = tmp_path / "writes.txt"
    with crash_process(tmp_path, None, *KEYS_CREATE, record_to=record) as process:
        key = process.read_line().strip()
        process.finish()
    await _start_two_executions_and_be_killed(tmp_path, key, record)
    await _recover_and_change_everything(tmp_path, key, record)
    key_id = _key_id(tmp_path, record)
    with crash_process(tmp_path, None, "keys", "revoke", key_id, record_to=record) as process:
        process.finish()

    written = set(record.read_text().splitlines())
    assert written - set(WRITES) == set(), "these statements have no point"
    assert set(WRITES) - written == set(), "these points are reached by nothing"
    killed_at = test_executions.WRITES_WITH_POINTS | test_writes.WRITES_WITH_POINTS
    assert set(WRITES) - killed_at == set(), "no test stops a process here"


async def _start_two_executions_and_be_killed(folder: Path, key: str, record: Path) -> None:
    point = Point("after", "effect", "n2")
    with crash_process(folder, point, record_to=record) as process:
        async with http_client(process.base_url(), key) as client:
            held = await create(client, {**chain("hold"), "id": "held"})
            await execute(client, held, folder=str(folder))
            two = await create(client, chain("effect", "effect"))
            await client.post(
                f"/v1/workflows/{two}/execute",
                json={"inputs": {"folder": str(folder)}},
                headers={"Idempotency-Key": "once"},
            )
            process.assert_killed()


async def _recover_and_change_everything(folder: Path, key: str, record: Path) -> None:
    environment = {
        "FLOWMAESTRO_RETENTION_MAX_EVENTS": "1",
        "FLOWMAESTRO_RETENTION_INTERVAL_SECONDS": "0.05",
    }
    with crash_process(folder, None, environment=environment, record_to=record) as process:
        async with http_client(process.base_url(), key) as client:
            two, held = (await client.get("/v1/executions")).json()["data"]

            async def two_has_ended() -> bool:
                found = (await client.get(f"/v1/executions/{two['id']}")).json()["data"]
                return bool(found["status"] == "completed")

            await wait_until(two_has_ended)
            await client.post(f"/v1/executions/{held['id']}/cancel")
            await client.put("/v1/workflows/held", json=greeting())
            await client.delete("/v1/workflows/held")
            await wait_until(lambda: "trimmed row" in record.read_text())
        process.stop()


def _key_id(folder: Path, record: Path) -> str:
    with crash_process(folder, None, "keys", "list", "--json", record_to=record) as process:
        line = process.read_line()
        process.finish()
    return line.split('"id": "', 1)[1].split('"', 1)[0]
