"""What it costs to read a log of 100,000 events in pages of 1,000, beside a bare ``sqlite3``.

    python benchmarks/log_read.py [--events 100000] [--page 1000] [--repeat 5]

The bare ``sqlite3`` fetches the same pages with one cursor, and makes nothing of the rows.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.log_append import create_execution, entry
from flowmaestro.storage import Storage

Figures = tuple[float, float]


async def fill(path: Path, events: int) -> str:
    """Write one log of so many events, and return its execution's id."""
    async with await Storage.open(str(path)) as storage:
        execution_id = await create_execution(storage)
        now = datetime.now(UTC)
        for start in range(0, events, 1_000):
            numbers = range(start, min(start + 1_000, events))
            await storage.log.append(execution_id, [entry(execution_id, n, now) for n in numbers])
        return execution_id


async def measure(path: Path, execution_id: str, events: int, page: int) -> Figures:
    """Return microseconds and CPU microseconds for each event."""
    async with await Storage.open(str(path)) as storage:
        began, cpu_began = time.perf_counter(), time.process_time()
        number = 0
        while records := await storage.log.read(execution_id, after=number, limit=page):
            number = records[-1].number
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        assert number == events
        return seconds / events * 1e6, cpu / events * 1e6


def measure_bare(path: Path, events: int, page: int) -> Figures:
    database = sqlite3.connect(path)
    (log_id,) = database.execute("SELECT log_id FROM executions").fetchone()
    query = (
        "SELECT number, type, data FROM events WHERE log_id = ? AND number > ? "
        "ORDER BY number LIMIT ?"
    )
    began, cpu_began = time.perf_counter(), time.process_time()
    number = 0
    while rows := database.execute(query, (log_id, number, page)).fetchall():
        number = rows[-1][0]
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    database.close()
    return seconds / events * 1e6, cpu / events * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--page", type=int, default=1_000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    events, page = arguments.events, arguments.page
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.db")
        execution_id = asyncio.run(fill(path, events))
        ours: list[Figures] = []
        bare: list[Figures] = []
        for _ in range(arguments.repeat):
            ours.append(asyncio.run(measure(path, execution_id, events, page)))
            bare.append(measure_bare(path, events, page))
    for name, figures in (("the log", ours), ("bare sqlite3", bare)):
        print(
            f"{name:>12}: {median(wall for wall, _ in figures):5.2f} µs/event,"
            f" {median(cpu for _, cpu in figures):5.2f} µs CPU/event"
        )


if __name__ == "__main__":
    main()
