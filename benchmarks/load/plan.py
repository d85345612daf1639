"""What is done to the server, one stretch after the other, and what is seen each second of it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fanout.machine import CpuTime
from benchmarks.fanout.readers import EventsLost
from benchmarks.load.client import Client
from benchmarks.load.offer import Offer
from benchmarks.load.server import Server
from benchmarks.load.stretch import Stretch, figures_of
from benchmarks.load.watchers import Watchers, create_workflow
from benchmarks.load.workflows import WORKFLOWS

WATCHED_EXECUTIONS = 20
EVENTS_PER_SECOND = 1.0
"""Of each watched execution."""
UNLOADED_PER_SECOND = 5.0
SETTLE_SECONDS = 10.0
END_SECONDS = 60.0
"""How long what was accepted may take to end after the last was offered."""
GAUGES = (
    "active_executions",
    "unfinished_executions",
    "running_nodes",
    "streams_level",
    "streams_behind",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and where."""

    folder: Path
    generator: Path
    server_core: int
    load_core: int
    per_second: float
    seconds: float
    readers: int
    quick: bool
    only: frozenset[str] | None
    environment: Mapping[str, str]

    def parts(self) -> list[tuple[str, list[Stretch]]]:
        """Return what is done, in order, in parts after each of which the server has a rest; the
        overload's rates are times what the server can do."""
        some, longer = (5.0, 5.0) if self.quick else (15.0, 20.0)
        long = 10.0 if self.quick else self.seconds
        rate, low = self.per_second, UNLOADED_PER_SECOND
        found = {
            "the load": [
                Stretch("unloaded", "pure", low, some),
                Stretch("warm-up", "pure", rate, some),
                Stretch("load", "pure", rate, long),
            ],
            "all of it": [
                Stretch("python", "python", rate, longer),
                Stretch("wait", "wait", rate, longer),
                Stretch("saturated", "pure", rate * 4, some),
                Stretch("overload 2×", "pure", 0, longer, times_capacity=2),
                Stretch("overload 5×", "pure", 0, longer, times_capacity=5),
                Stretch("afterwards", "pure", low, some),
            ],
        }
        chosen = {
            name: [one for one in stretches if self.only is None or one.name in self.only]
            for name, stretches in found.items()
        }
        return [(name, stretches) for name, stretches in chosen.items() if stretches]


@dataclass(slots=True)
class _Watch:
    """Looks at the server every second."""

    server: Server
    client: Client
    offer: Offer
    watchers: Watchers | None = None
    failures: list[str] = field(default_factory=list)
    _last: tuple[float, float] | None = None

    async def look(self) -> dict[str, Any]:
        """Return how the server is, without what happened."""
        found = await asyncio.to_thread(self.server.measure)
        return found | {"at": time.monotonic()} | await self._gauges()

    async def seconds(self, stretch: Stretch, begun: float) -> None:
        """Note every second of *stretch*, until cancelled."""
        turn = 0
        while True:
            turn += 1
            await asyncio.sleep(max(0.0, begun + turn - time.monotonic()))
            await self.note(stretch)

    async def note(self, stretch: Stretch) -> None:
        tally, at, watched = self.offer.take(), time.monotonic(), []
        if self.watchers is not None:
            try:
                watched = await self.watchers.take()
            except EventsLost as error:
                self.failures.append(f"{stretch.name}: a reader that stays: {error}")
                self.watchers = None
        state = await self.look()
        cpu, looked_at = state["cpu_seconds"], state["at"]
        if self._last is not None:
            state["cpu_share"] = (cpu - self._last[0]) / max(1e-9, looked_at - self._last[1])
        self._last = (cpu, looked_at)
        state["at"] = at
        stretch.add(tally, watched, state)

    async def _gauges(self) -> dict[str, float]:
        try:
            text = (await self.client.ask("GET", "/metrics")).decode()
        except Exception as error:
            self.failures.append(f"metrics: {error!r}")
            return {}
        return {
            name: float(match[1])
            for name in GAUGES
            if (match := re.search(rf"^flowmaestro_{name} (\S+)$", text, re.MULTILINE))
        }


async def run_plan(plan: Plan) -> dict[str, Any]:
    """Do it all, and return what was seen."""
    with Server(plan.folder, core=plan.server_core, environment=plan.environment) as server:
        key = server.create_key()
        client = Client(server.port, key)
        offer = Offer(client)
        watch = _Watch(server, client, offer)
        workflows = {
            name: await create_workflow(client, document) for name, document in WORKFLOWS.items()
        }
        await _start_vitals(client, server)
        # Whatever is opened once and kept (connections to the database) is open from here on.
        touch = Stretch("touch", "pure", 200, 2)
        for _ in range(5):
            await asyncio.gather(*(client.ask("GET", "/api/v1/executions") for _ in range(200)))
        await _run_stretch(touch, workflows, watch)
        rests = [{"name": "before", **await _rest(watch)}]
        done: list[Stretch] = []
        load_busy = []
        for part, stretches in plan.parts():
            watch.watchers = watchers = await _open_watchers(plan, client, server.port, key)
            pids = [os.getpid(), watchers.pid]
            used, begun = CpuTime.read(pids), time.monotonic()
            for stretch in stretches:
                if stretch.times_capacity:
                    capacity = next((one for one in done if one.name == "saturated"), None)
                    base = capacity.figures()["ended_per_s"] if capacity else plan.per_second
                    stretch.per_second = round(base * stretch.times_capacity)
                await _run_stretch(stretch, workflows, watch)
                done.append(stretch)
            busy = CpuTime.read(pids).since(used).used_seconds / (time.monotonic() - begun)
            load_busy.append(busy)
            watch.watchers = None
            await watchers.close()
            rests.append({"name": f"after {part}", **await _rest(watch)})
        failures = watch.failures + [
            f"{stretch.name}: {error}" for stretch in [touch, *done] for error in stretch.errors()
        ]
        return {
            "plan": {
                "per_second": plan.per_second,
                "seconds": plan.seconds,
                "readers": plan.readers,
                "watched_executions": WATCHED_EXECUTIONS,
                "events_per_second": EVENTS_PER_SECOND,
            },
            "rests": rests,
            "load_busy": max(load_busy, default=0.0),
            "stretches": [
                {
                    "name": stretch.name,
                    "workflow": stretch.workflow,
                    "per_second": stretch.per_second,
                    "figures": stretch.figures(),
                    "seconds": stretch.seconds_seen(),
                }
                for stretch in done
            ],
            "failures": failures,
        }


async def _open_watchers(plan: Plan, client: Client, port: int, key: str) -> Watchers:
    watchers = await Watchers.open(
        client,
        port,
        key,
        generator=plan.generator,
        folder=plan.folder,
        core=plan.load_core,
        count=plan.readers,
        executions=WATCHED_EXECUTIONS,
        per_second=EVENTS_PER_SECOND,
    )
    await asyncio.sleep(1)
    await watchers.take()
    return watchers


async def _run_stretch(stretch: Stretch, workflows: Mapping[str, str], watch: _Watch) -> None:
    begun = stretch.began_at = time.monotonic()
    watching = asyncio.create_task(watch.seconds(stretch, begun))
    await watch.offer.run(workflows[stretch.workflow], stretch.per_second, stretch.seconds)
    stretch.offered_until = time.monotonic()
    await watch.offer.wait(END_SECONDS)
    watching.cancel()
    await asyncio.wait([watching])
    await watch.note(stretch)
    figures = stretch.figures()
    print(f"{stretch.name}: {figures_of(figures)}", file=sys.stderr, flush=True)


async def _rest(watch: _Watch) -> dict[str, Any]:
    """Close every connection, let the server rest, and return how it is."""
    watch.client.close()
    await asyncio.sleep(SETTLE_SECONDS)
    await asyncio.to_thread(watch.server.collect_garbage)
    await asyncio.sleep(1)
    found = await watch.look()
    watch.client.close()
    return found


async def _start_vitals(client: Client, server: Server) -> None:
    workflow_id = await create_workflow(
        client,
        {
            "name": "vitals",
            "nodes": {
                "vitals": {
                    "type": "python",
                    "config": {
                        "function": "vitals",
                        "arguments": {"path": str(server.vitals_path)},
                    },
                }
            },
            "edges": [],
        },
    )
    await client.execute(workflow_id, {})
