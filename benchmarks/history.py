"""Whether an execution costs more when many have gone before it.

Runs the same executions on a database that remembers 100 finished ones, and on one that remembers
100,000, in processes of their own pinned to one core, in turn; prints CPU time per execution
(accept, run, list a page of them) and the ratio.

    python -m benchmarks.history [--rounds 3] [--past 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

CORE = "0"
MEASURED = 300
FEW = 100
WORKSPACE = "bench"
DOCUMENT = {
    "name": "history",
    "nodes": {"a": {"type": "transform", "config": {"value": "{{ x + 1 }}"}}},
    "edges": [],
}


async def fill(database: Path, past: int) -> None:
    """Store *past* finished executions of four events each."""
    from flowmaestro.events import (
        ExecutionCompleted,
        ExecutionStarted,
        LoggedEvent,
        NodeCompleted,
        NodeStarted,
    )
    from flowmaestro.storage import LogEntry, NewExecution, Storage

    now = datetime.now(UTC)
    async with await Storage.open(str(database)) as storage:
        workflow = await storage.workflows.create(
            WORKSPACE, DOCUMENT, name="history", id="history", input_schema=None
        )

        async def one() -> None:
            id_ = storage.ids.new_id("exec")
            await storage.executions.create(
                NewExecution(id_, WORKSPACE, workflow.id, "history", {workflow.id: 1}, {}, now)
            )
            common = {"execution_id": id_, "timestamp": now}
            node = {"node_id": "a", "node_name": "a", "node_type": "transform", "attempt": 1}
            events: list[LoggedEvent] = [
                ExecutionStarted(
                    **common,
                    workflow_id=workflow.id,
                    workflow_name="history",
                    started_at=now,
                    total_nodes=1,
                ),
                NodeStarted(**common, **node, started_at=now),
                NodeCompleted(**common, **node, outputs={}, duration_ms=0, completed_at=now),
                ExecutionCompleted(
                    **common, outputs={}, started_at=now, completed_at=now, duration_ms=0
                ),
            ]
            await storage.log.append(id_, [LogEntry(event, str(event.type)) for event in events])

        for first in range(0, past, 500):
            await asyncio.gather(*(one() for _ in range(min(500, past - first))))


async def measure(database: Path) -> float:
    """Return the CPU milliseconds of one execution."""
    from flowmaestro.engine import LocalEngine
    from flowmaestro.nodes import Registry, Services
    from flowmaestro.storage import Storage

    async with await Storage.open(str(database)) as storage:
        engine = LocalEngine(storage, Registry.builtin(Services()))
        await engine.start()

        async def run(count: int) -> None:
            for _ in range(count):
                await engine.accept(WORKSPACE, "history", {"x": 1})
            while engine.unfinished_executions:
                await asyncio.sleep(0.01)
            await storage.executions.list(WORKSPACE, page=1, per_page=1)

        await run(20)
        before = resource.getrusage(resource.RUSAGE_SELF)
        await run(MEASURED)
        after = resource.getrusage(resource.RUSAGE_SELF)
        await engine.drain(0)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * used / MEASURED


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--past", type=int, default=100_000)
    parser.add_argument("--measure", type=Path)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(asyncio.run(measure(options.measure))))
        return
    results: dict[int, list[float]] = {FEW: [], options.past: []}
    with tempfile.TemporaryDirectory() as folder:
        for past in results:
            asyncio.run(fill(Path(folder) / f"{past}.db", past))
        for round_ in range(options.rounds):
            for past, figures in results.items():
                copy = Path(folder) / f"{past}-{round_}.db"
                shutil.copy(Path(folder) / f"{past}.db", copy)
                command = [sys.executable, "-m", "benchmarks.history", "--measure", str(copy)]
                output = subprocess.run(
                    ["taskset", "-c", CORE, *command], check=True, stdout=subprocess.PIPE
                ).stdout
                figures.append(json.loads(output))
    print(f"CPU per execution, median of {options.rounds}, one core\n")
    for past, figures in results.items():
        ratio = median(figures) / median(results[FEW])
        print(f"{past:>9,} past executions {median(figures):8.3f} ms {ratio:8.2f}")


if __name__ == "__main__":
    main()
