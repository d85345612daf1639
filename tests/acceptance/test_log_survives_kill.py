"""A process that is killed while it appends loses no event that it was told is durable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flowmaestro.storage import Storage
from tests.support.storage import note

APPENDERS = 20
APPEND = f"""
import asyncio, json, sys
from flowmaestro.storage import Storage
from tests.support.storage import create_execution, note

async def append(storage, log):
    number = 0
    while True:
        key = f"{{number}}"
        [record] = await storage.log.append(log, [note(log, "x" * 100, key)])
        print(json.dumps([log, record.number, key]), flush=True)
        number += 1

async def main():
    storage = await Storage.open(sys.argv[1])
    logs = [(await create_execution(storage)).id for _ in range({APPENDERS})]
    await asyncio.gather(*(append(storage, log) for log in logs))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged_before_kill", [1, 50, 1_000])
async def test_every_acknowledged_event_is_there_once(
    tmp_path: Path, acknowledged_before_kill: int
) -> None:
    path = tmp_path / "flowmaestro.db"
    with subprocess.Popen(
        [sys.executable, "-c", APPEND, str(path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledged_before_kill)]
        process.kill()
        lines += process.stdout.readlines()
    # The last line may have been cut off by the kill, before its end or after.
    acknowledged = [json.loads(line) for line in lines if line.endswith("\n")]
    assert len(acknowledged) >= acknowledged_before_kill
    async with await Storage.open(str(path)) as storage:
        numbers_of: dict[str, list[int]] = {}
        for log, number, key in acknowledged:
            numbers_of.setdefault(log, []).append(number)
            assert await storage.log.append(log, [note(log, key=key)]) == []
        for log, numbers in numbers_of.items():
            stored = [r.number for r in await storage.log.read(log, after=0, limit=100_000)]
            assert stored == list(range(1, len(stored) + 1))
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(stored) in (len(numbers), len(numbers) + 1)
