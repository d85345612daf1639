"""Backups of a server that executes workflows all the while: each is whole, and goes on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowmaestro import AsyncFlowMaestroClient
from flowmaestro.storage.upkeep import audit_logs, open_to_read
from tests.support.held_nodes import UNTIL
from tests.support.server import database_url, server_process

BACKUPS = 2
STARTERS = 5
NODES = "tests.support.held_nodes"
COMMAND = "from flowmaestro.cli import main; main()"
ROOT = Path(__file__).parents[2]


def paced() -> dict[str, Any]:
    """A workflow with a loop, so that its log grows in several appends."""
    nap = {"nodes": {"nap": {"type": "wait", "config": {"duration_ms": 3}}}}
    return {
        "name": "paced",
        "nodes": {"each": {"type": "loop", "config": {"items": "{{ range(6) }}", "body": nap}}},
    }


async def flowmaestro(*arguments: str) -> str:
    """Run a command, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        written, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return written.decode()


async def start_executions(client: AsyncFlowMaestroClient, workflow: str) -> None:
    while True:
        execution = await client.workflows.execute(workflow, {})
        await client.executions.wait_for_completion(execution.execution_id)


def unfinished_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT count(*) FROM executions WHERE completed_at IS NULL"
        count: int = connection.execute(query).fetchone()[0]
        return count


def assert_whole(path: Path) -> tuple[int, int]:
    """Check every page and log of a database; return how many executions and events it holds."""
    with closing(open_to_read(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        audit = audit_logs(connection)
        assert audit.faults == []
        # The same, without our own code: numbers from 1 on, and the one end last.
        for status, data, count, first, last in connection.execute(
            "SELECT status, group_concat(type, ' '), count(*), min(number), max(number) "
            "FROM executions JOIN (SELECT * FROM events ORDER BY log_id, number) USING (log_id) "
            "GROUP BY log_id"
        ):
            assert (first, last) == (1, count)
            types = data.split(" ")
            ends = [name for name in types if name == "execution:completed"]
            assert ends == (types[-1:] if status == "completed" else [])
    return audit.executions, audit.events


async def finish_everything(folder: Path) -> None:
    """Run a server on the database in *folder*, which holds nothing, until all has ended."""
    environment = {"FLOWMAESTRO_NODES": NODES, "PYTHONPATH": str(ROOT)}
    with server_process(folder, environment) as server:
        async with asyncio.timeout(60):
            while unfinished_in(folder / "flowmaestro.db"):
                await asyncio.sleep(0.05)
        assert server.stop() == 0


@pytest.mark.slow
async def test_every_backup_is_whole_and_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    environment = {
        "FLOWMAESTRO_NODES": NODES,
        "PYTHONPATH": str(ROOT),
        UNTIL: str(tmp_path / "never"),
    }
    sizes: list[tuple[int, int]] = []
    with server_process(source, environment) as server:
        key = await server.new_key()
        async with AsyncFlowMaestroClient(key, base_url=server.base_url) as client:
            held = await client.workflows.create({"name": "held", "nodes": {"a": {"type": "held"}}})
            waiting = await client.workflows.execute(held.id, {})
            workflow = await client.workflows.create(paced())
            starters = [
                asyncio.create_task(start_executions(client, workflow.id)) for _ in range(STARTERS)
            ]
            for number in range(BACKUPS):
                # Each next one has more to copy than the one before.
                while (await client.executions.list(per_page=1)).pagination.total_count < 20 * (
                    number + 1
                ):
                    await asyncio.sleep(0.02)
                backup = tmp_path / f"{number}.db"
                await flowmaestro("backup", str(backup), "--database", database_url(source))
                sizes.append(assert_whole(backup))
                assert unfinished_in(backup) > 0
            assert not any(starter.done() for starter in starters), "the server stood still"
            for starter in starters:
                starter.cancel()
            await asyncio.gather(*starters, return_exceptions=True)
        server.kill()
    assert sizes == sorted(sizes)

    for number in range(BACKUPS):
        folder = tmp_path / f"restored-{number}"
        folder.mkdir()
        url = database_url(folder)
        await flowmaestro("restore", str(tmp_path / f"{number}.db"), "--database", url)
        await finish_everything(folder)
        executions, events = assert_whole(folder / "flowmaestro.db")
        assert executions == sizes[number][0]
        assert events > sizes[number][1]
        with closing(sqlite3.connect(folder / "flowmaestro.db")) as connection:
            rows = connection.execute("SELECT id, status, outputs FROM executions").fetchall()
        assert {status for _, status, _ in rows} == {"completed"}
        outputs = {execution_id: json.loads(outputs) for execution_id, _, outputs in rows}
        assert waiting.execution_id in outputs
