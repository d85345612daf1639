"""What a power cut may leave of the write-ahead log: a part of it, and behind that nothing, or what
was never written. Whatever had been acknowledged by then was synced, and so is in that part."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from flowmaestro.storage import Storage
from tests.support.storage import completed, create_execution, note, started

FRAME_BYTES = 24 + 4096
HEADER_BYTES = 32


class Recording:
    """A database as it lies on the disk, with how long its write-ahead log was at each answer."""

    def __init__(self, folder: Path, log: str, acknowledged: list[tuple[int, int]]) -> None:
        self.folder = folder
        self.log = log
        self.acknowledged = acknowledged
        """Length in bytes, and the newest number that had been acknowledged by then."""

    @property
    def length(self) -> int:
        return self.acknowledged[-1][0]


async def record(folder: Path) -> Recording:
    database = folder / "flowmaestro.db"
    write_ahead_log = folder / "flowmaestro.db-wal"
    async with await Storage.open(str(database)) as storage:
        log = (await create_execution(storage)).id
        acknowledged = [(write_ahead_log.stat().st_size, 0)]
        entries = [
            [started(log)],
            *([note(log, "x" * (50 * turn**2))] * (1 + turn % 3) for turn in range(7)),
            [completed(log)],
        ]
        for some in entries:
            records = await storage.log.append(log, some)
            acknowledged.append((write_ahead_log.stat().st_size, records[-1].number))
        # Before it is closed, which would put the log into the database.
        copy = folder / "copy"
        copy.mkdir()
        for path in (database, write_ahead_log):
            shutil.copy(path, copy)
    return Recording(copy, log, acknowledged)


@pytest.mark.parametrize("rest", ["missing", "zeros", "garbage"])
async def test_a_power_cut_takes_back_nothing_that_was_acknowledged(
    tmp_path: Path, rest: str
) -> None:
    recording = await record(tmp_path)
    numbers = [number for _, number in recording.acknowledged]
    frames = range(recording.acknowledged[0][0], recording.length + 1, FRAME_BYTES)
    cuts = sorted({cut for end in frames for cut in (end - FRAME_BYTES // 2, end)})
    assert len(cuts) > 40
    chance = random.Random(7)
    found = set()
    for cut in cuts:
        folder = tmp_path / f"cut-{cut}"
        shutil.copytree(recording.folder, folder)
        write_ahead_log = folder / "flowmaestro.db-wal"
        whole = write_ahead_log.read_bytes()
        lost = len(whole) - cut
        tail = {"missing": b"", "zeros": bytes(lost), "garbage": chance.randbytes(lost)}[rest]
        write_ahead_log.write_bytes(whole[:cut] + tail)
        durable = max(
            (number for length, number in recording.acknowledged if length <= cut), default=None
        )
        async with await Storage.open(str(folder / "flowmaestro.db")) as storage:
            if durable is None:  # the cut is in the transaction that made the execution
                assert await storage.executions.count_unfinished() == 0
                continue
            records = await storage.log.read(recording.log, after=0, limit=1_000)
            head = await storage.log.head(recording.log)
        assert [record.number for record in records] == list(range(1, durable + 1))
        assert head.ended == (durable == numbers[-1])
        assert head.status == (
            "pending" if not durable else "completed" if head.ended else "running"
        )
        found.add(durable)
        shutil.rmtree(folder)
    assert found == set(numbers)
