"""How many durable events a second the log takes, beside a bare ``sqlite3`` on the same rows.

    python benchmarks/log_append.py [--appenders 1,10,100,1000] [--events 30000] [--repeat 5]

Each appender is an asyncio task that appends to its own logs and waits until that is durable
before it goes on. The bare ``sqlite3`` inserts the very same rows into the same tables with the
same PRAGMAs, by ``executemany``, in transactions as large as there are appenders: what the disk
and SQLite cost without asyncio, JSON, numbering, idempotency and threads.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import uvloop

from flowmaestro.events import NodeCompleted
from flowmaestro.storage import LogEntry, NewExecution, Storage

EVENTS_PER_LOG = 50


@dataclass(frozen=True, slots=True)
class Figures:
    events_per_second: float
    cpu_us_per_event: float
    bare_events_per_second: float
    bare_cpu_us_per_event: float


def entry(execution_id: str, number: int, now: datetime) -> LogEntry:
    event = NodeCompleted(
        execution_id=execution_id,
        timestamp=now,
        node_id=f"node-{number}",
        node_name="Fetch the page",
        node_type="http",
        outputs={"status": 200, "size": 4711},
        attempt=1,
        duration_ms=12,
        completed_at=now,
    )
    return LogEntry(event, f"node-{number}:1:completed")


Work = list[tuple[str, list[LogEntry]]]


def plan(execution_ids: list[str], count: int, batch: int) -> Work:
    """Return what one appender appends: execution ids and entries, in order."""
    work: Work = []
    done = 0
    while done < count:
        execution_id = execution_ids[done // EVENTS_PER_LOG]
        size = min(batch, count - done, EVENTS_PER_LOG - done % EVENTS_PER_LOG)
        now = datetime.now(UTC)
        work.append((execution_id, [entry(execution_id, done + i, now) for i in range(size)]))
        done += size
    return work


async def appender(storage: Storage, work: Work) -> None:
    for execution_id, entries in work:
        await storage.log.append(execution_id, entries)


async def create_execution(storage: Storage) -> str:
    execution, _ = await storage.executions.create(
        NewExecution(
            id=storage.ids.new_id("exec"),
            workspace="benchmark",
            workflow_id="wf",
            workflow_name="Benchmark",
            definitions={"wf": 1},
            inputs={},
            created_at=datetime.now(UTC),
        )
    )
    return execution.id


async def measure(path: Path, appenders: int, events: int, batch: int) -> tuple[float, float]:
    """Return seconds and CPU seconds of appending."""
    each = events // appenders
    async with await Storage.open(str(path)) as storage:
        logs = -(-each // EVENTS_PER_LOG)
        # Logs that are written at the same time were created at the same time.
        rounds = [
            await asyncio.gather(*(create_execution(storage) for _ in range(appenders)))
            for _ in range(logs)
        ]
        plans = [plan([ids[place] for ids in rounds], each, batch) for place in range(appenders)]
        gc.collect()
        gc.freeze()  # the events that wait to be appended are the benchmark's, not the log's
        began, cpu_began = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for work in plans:
                group.create_task(appender(storage, work))
        return time.perf_counter() - began, time.process_time() - cpu_began


def measure_bare(source: Path, target: Path, batch: int) -> tuple[float, float]:
    """Insert *source*'s events into a fresh *target*; return seconds and CPU seconds."""
    with sqlite3.connect(source) as database:
        tables = [
            sql
            for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
            if "sqlite_sequence" not in sql
        ]
        executions = database.execute("SELECT * FROM executions").fetchall()
        rows = database.execute(
            "SELECT log_id, number, type, key, data FROM events ORDER BY position"
        ).fetchall()
    database.close()
    bare = sqlite3.connect(target, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        bare.execute(f"PRAGMA {pragma}")
    for sql in tables:
        bare.execute(sql)
    marks = ", ".join("?" * len(executions[0]))
    bare.execute("BEGIN")
    bare.executemany(f"INSERT INTO executions VALUES ({marks})", executions)
    bare.execute("COMMIT")
    began, cpu_began = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), batch):
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany(
            "INSERT INTO events (log_id, number, type, key, data) VALUES (?, ?, ?, ?, ?)",
            rows[start : start + batch],
        )
        bare.execute("COMMIT")
    figures = time.perf_counter() - began, time.process_time() - cpu_began
    bare.close()
    return figures


def run_once(appenders: int, events: int, batch: int) -> Figures:
    events = events // appenders * appenders
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = Path(folder, "ours.db"), Path(folder, "bare.db")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the server
            seconds, cpu = runner.run(measure(ours, appenders, events, batch))
        bare_seconds, bare_cpu = measure_bare(ours, bare, min(appenders * batch, 1000))
    return Figures(
        events / seconds, cpu / events * 1e6, events / bare_seconds, bare_cpu / events * 1e6
    )


def report(appenders: int, events: int, batch: int, repeat: int) -> None:
    runs = [run_once(appenders, events, batch) for _ in range(repeat)]
    ours = median(run.events_per_second for run in runs)
    bare = median(run.bare_events_per_second for run in runs)
    print(
        f"{appenders:>5} appenders, {batch} events each time:"
        f" {ours:>7,.0f} events/s"
        f" (best {max(run.events_per_second for run in runs):,.0f}),"
        f" {median(run.cpu_us_per_event for run in runs):5.1f} µs CPU/event;"
        f" bare sqlite3 {bare:>7,.0f} events/s,"
        f" {median(run.bare_cpu_us_per_event for run in runs):5.1f} µs;"
        f" ratio {median(r.events_per_second / r.bare_events_per_second for r in runs):.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--appenders", default="1,10,100,1000")
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    for appenders in map(int, arguments.appenders.split(",")):
        # One appender waits for the disk each time, so that fewer events tell as much.
        report(appenders, min(arguments.events, appenders * 1_000), 1, arguments.repeat)
    report(50, arguments.events, 3, arguments.repeat)


if __name__ == "__main__":
    main()
