"""What one node costs: engine, log and durability included, beside LangGraph doing the same.

50 executions of 20 trivial nodes one after the other run at once. Each side runs in a process of
its own, pinned to one core, several times in turn; CPU time is the operating system's (user and
system, all threads). Nodes are Python functions that return at once, so each one's start is made
durable before it runs; `transform` shows what pure nodes cost, which share commits.

    python -m benchmarks.engine [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

EXECUTIONS = 50
NODES = 20
CORE = "0"


def used_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def measure(run: Callable[[], Awaitable[None]]) -> dict[str, float]:
    await run()  # warm: imports, caches, tables
    cpu, wall = used_cpu_seconds(), time.perf_counter()
    await run()
    nodes = EXECUTIONS * NODES
    return {
        "cpu_ms": 1000 * (used_cpu_seconds() - cpu) / nodes,
        "wall_ms": 1000 * (time.perf_counter() - wall) / nodes,
    }


async def flowmaestro(folder: Path, node: dict[str, Any]) -> dict[str, float]:
    from flowmaestro import function
    from flowmaestro.engine import LocalEngine
    from flowmaestro.events import TERMINAL_TYPES
    from flowmaestro.nodes import Registry, Services
    from flowmaestro.storage import LogRecord, Storage
    from flowmaestro.workflow import to_document, validate

    @function
    async def trivial(value: int) -> dict[str, int]:
        return {"value": value + 1}

    module = ModuleType("trivial_nodes")
    module.trivial = trivial  # type: ignore[attr-defined]
    registry = Registry.builtin(Services()).with_module(module)
    names = [f"n{index}" for index in range(NODES)]
    document = {
        "name": "chain",
        "nodes": dict.fromkeys(names, node),
        "edges": [{"source": source, "target": target} for source, target in pairwise(names)],
    }
    definition = validate(document, registry.catalog)
    async with await Storage.open(str(folder / "bench.db")) as storage:
        engine = LocalEngine(storage, registry)
        await engine.start()
        workflow = await storage.workflows.create(
            "bench", to_document(definition), name="chain", id=None, input_schema=None
        )
        left = 0
        done = asyncio.Event()

        def ended(_: str, records: list[LogRecord]) -> None:
            nonlocal left
            if records[-1].type in TERMINAL_TYPES:
                left -= 1
                if left == 0:
                    done.set()

        storage.log.on_commit(ended)

        async def run() -> None:
            nonlocal left
            left = EXECUTIONS
            done.clear()
            await asyncio.gather(
                *(engine.accept("bench", workflow.id, {"x": 1}) for _ in range(EXECUTIONS))
            )
            await done.wait()

        result = await measure(run)
        await engine.drain(0)
    return result


async def langgraph(folder: Path, *, checkpoint: bool) -> dict[str, float]:
    from typing import TypedDict

    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        value: int

    async def trivial(state: State) -> State:
        return {"value": state["value"] + 1}

    builder = StateGraph(State)
    names = [f"n{index}" for index in range(NODES)]
    for name in names:
        builder.add_node(name, trivial)
    builder.add_edge(START, names[0])
    for source, target in pairwise(names):
        builder.add_edge(source, target)
    builder.add_edge(names[-1], END)
    threads = iter(range(10**9))

    async def measured(graph: Any) -> dict[str, float]:
        async def run() -> None:
            await asyncio.gather(
                *(
                    graph.ainvoke(
                        {"value": 1},
                        {"configurable": {"thread_id": str(next(threads))}, "recursion_limit": 100},
                    )
                    for _ in range(EXECUTIONS)
                )
            )

        return await measure(run)

    if not checkpoint:
        return await measured(builder.compile())
    async with AsyncSqliteSaver.from_conn_string(str(folder / "bench.db")) as saver:
        return await measured(builder.compile(checkpointer=saver))


def python_node(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "python", "config": {"function": function, "arguments": arguments}}


SIDES: dict[str, tuple[str, Callable[[Path], Awaitable[dict[str, float]]]]] = {
    "flowmaestro": (
        "FlowMaestro, Python nodes, durable",
        lambda folder: flowmaestro(
            folder,
            {
                "type": "python",
                "config": {"function": "trivial", "arguments": {"value": "{{ x }}"}},
            },
        ),
    ),
    "transform": (
        "FlowMaestro, transform nodes, durable",
        lambda folder: flowmaestro(
            folder, {"type": "transform", "config": {"value": "{{ x + 1 }}"}}
        ),
    ),
    "langgraph": (
        "LangGraph, SQLite checkpointer",
        lambda folder: langgraph(folder, checkpoint=True),
    ),
    "langgraph-bare": (
        "LangGraph, no checkpoint (nothing durable)",
        lambda folder: langgraph(folder, checkpoint=False),
    ),
}


def run_side(name: str) -> None:
    """Measure one side in this process and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        work = SIDES[name][1](Path(folder))
        try:
            import uvloop
        except ImportError:
            result = asyncio.run(_awaited(work))
        else:
            result = uvloop.run(_awaited(work))
    print(json.dumps(result))


async def _awaited(work: Awaitable[dict[str, float]]) -> dict[str, float]:
    return await work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--only", choices=SIDES, nargs="*")
    options = parser.parse_args()
    if options.side:
        run_side(options.side)
        return
    names = options.only or list(SIDES)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            command = [sys.executable, "-m", "benchmarks.engine", "--side", name]
            output = subprocess.run(
                ["taskset", "-c", CORE, *command], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
            results[name].append(json.loads(output.splitlines()[-1]))
    cpu = {name: median(run["cpu_ms"] for run in runs) for name, runs in results.items()}
    wall = {name: median(run["wall_ms"] for run in runs) for name, runs in results.items()}
    print(f"{EXECUTIONS} executions x {NODES} nodes, median of {options.rounds}, one core\n")
    print(f"{'':45}{'CPU ms/node':>12}{'wall ms/node':>14}{'CPU ratio':>11}")
    for name in names:
        ratio = cpu[name] / cpu[names[0]]
        print(f"{SIDES[name][0]:45}{cpu[name]:12.3f}{wall[name]:14.3f}{ratio:11.2f}")


if __name__ == "__main__":
    main()
