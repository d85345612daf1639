"""How to start it, what to ask it, and where it keeps things."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from flowmaestro.events import EXTENSION_TYPES, TERMINAL_TYPES
from torture.oracle import Effect, Frame
from torture.subject import Address, Command, Follow, Ledger, Request, View
from torture.subjects.flowmaestro import nodes, workflows
from torture.subjects.flowmaestro.sdk import (
    TYPESCRIPT_SDK,
    follow_in_thread,
    follow_on_loop,
    follow_with_node,
)
from torture.wire import send

API = "/api/v1"
WORKFLOWS_OF_A_ROUND = 12
CENSUS = "census"
_CENSUS_WORKFLOW = {
    "id": CENSUS,
    "name": "Census",
    "nodes": {
        # Until the request that began it is no longer among what is counted.
        "pause": {"type": "wait", "config": {"duration_ms": 200}},
        **{
            name: {"type": "python", "config": {"function": name, "arguments": {}}}
            for name in ("census", "tasks")
        },
    },
    "edges": [{"source": "pause", "target": "tasks"}, {"source": "tasks", "target": "census"}],
}
_CENSUS_SECONDS = 0.5
_FILTER = frozenset({"node:started", "node:completed"})
_GAUGES = (
    "flowmaestro_streams_level",
    "flowmaestro_streams_behind",
    "flowmaestro_running_nodes",
    "flowmaestro_active_executions",
    "flowmaestro_unfinished_executions",
)
EVERYTHING = View("everything", lambda _name: True)
BASE = View("base events", lambda name: name not in EXTENSION_TYPES)
FILTERED = View("filtered", lambda name: name in _FILTER or name in TERMINAL_TYPES)
_QUERIES = {
    EVERYTHING.name: f"include={','.join(sorted(EXTENSION_TYPES))}",
    BASE.name: "",
    FILTERED.name: f"types={','.join(sorted(_FILTER))}",
}


class FlowMaestro:
    """One process, one SQLite file.

    Args:
        key: an API key for everything; by default one is made when the server is started.
    """

    name = "flowmaestro"
    terminal = TERMINAL_TYPES
    opening: str | None = "connected"
    views: Sequence[View] = (EVERYTHING, BASE, FILTERED)

    def __init__(self, key: str = "") -> None:
        self._key = key
        self._workflows: list[str] = []
        self.sdk_readers: dict[str, Follow] = {
            "SDK": lambda *stream: follow_on_loop(self._key, *stream),
            "SDK in a thread": lambda *stream: follow_in_thread(self._key, *stream),
        }
        if TYPESCRIPT_SDK.exists() and shutil.which("node"):
            self.sdk_readers["SDK in Node"] = lambda *stream: follow_with_node(self._key, *stream)

    def command(self, folder: Path, port: int) -> Command:
        self._key = self._key or self._create_key(folder)
        return Command(
            [sys.executable, "-m", "flowmaestro", "serve", "--port", str(port)],
            {
                **_database(folder),
                "FLOWMAESTRO_NODES": str(Path(nodes.__file__)),
                "FLOWMAESTRO_HEARTBEAT_SECONDS": "0.5",
                "FLOWMAESTRO_STALLED_READER_SECONDS": "10",
                "FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS": "0.3",
                "FLOWMAESTRO_STREAM_BUFFER_BYTES": "4096",  # small, so that readers fall behind
                "FLOWMAESTRO_LOG_LEVEL": "warning",
            },
        )

    def _create_key(self, folder: Path) -> str:
        return subprocess.run(
            [
                *(sys.executable, "-m", "flowmaestro", "keys", "create", "--name", "torture"),
                *("--bundle", "full-access", "--rate-limit-per-minute", "0"),
            ],
            env={**os.environ, **_database(folder)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    async def prepare(self, server: Address, random: Random) -> None:
        if not self._workflows:
            await self._create(server, _CENSUS_WORKFLOW)
        definitions = [workflows.workflow(random) for _ in range(WORKFLOWS_OF_A_ROUND - 1)]
        definitions.append(workflows.long_workflow(random))
        self._workflows = [
            (await self._create(server, definition))["id"] for definition in definitions
        ]

    def execution(self, random: Random) -> Request:
        return self._execute(
            random.choice(self._workflows),
            {"coin": random.randrange(100)},
            {"Idempotency-Key": f"{random.getrandbits(128):032x}"},
        )

    def _execute(
        self, workflow: str, inputs: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Request:
        body = json.dumps({"inputs": inputs}).encode()
        return Request(f"{API}/workflows/{workflow}/execute", {**self._auth, **headers}, body)

    def accepted(self, status: int, body: bytes) -> str | None:
        if status == 202:
            return str(json.loads(body)["data"]["execution_id"])
        if status == 429:
            return None
        raise ValueError(f"{status}: {body[:500]!r}")

    def cancel(self, execution: str) -> Request | None:
        return Request(f"{API}/executions/{execution}/cancel", self._auth, b"{}")

    def stream(self, execution: str, cursor: int, view: View) -> Request:
        path = f"{API}/executions/{quote(execution)}/events?{_QUERIES[view.name]}"
        headers = {**self._auth, "Accept": "text/event-stream"}
        if cursor:
            headers["Last-Event-ID"] = str(cursor)
        return Request(path, headers)

    def executions(self, folder: Path) -> list[str]:
        rows = _read(folder, "SELECT id FROM executions WHERE workflow_id <> ?", CENSUS)
        return [execution for (execution,) in rows]

    def log(self, folder: Path, execution: str) -> list[Frame]:
        rows = _read(
            folder,
            "SELECT number, type, data FROM events JOIN executions USING (log_id)"
            " WHERE id = ? ORDER BY number",
            execution,
        )
        return [Frame(number, name, data.encode()) for number, name, data in rows]

    def effects(self, folder: Path) -> list[Effect]:
        path = folder / nodes.EFFECTS
        lines = path.read_text().splitlines() if path.exists() else []
        fields = (line.split(" ") for line in lines)
        return [Effect(execution, node, int(attempt)) for execution, node, attempt in fields]

    def ledger(self, execution: str, log: Sequence[Frame]) -> Ledger:
        found: dict[str, set[Effect]] = {"node:started": set(), "node:completed": set()}
        for frame in log:
            if frame.name in found:
                said = json.loads(frame.data)
                if said["node_type"] == "python":
                    effect = Effect(execution, said["node_id"], said["attempt"])
                    found[frame.name].add(effect)
        return Ledger(frozenset(found["node:started"]), frozenset(found["node:completed"]))

    async def gauges(self, server: Address) -> Mapping[str, float]:
        execution = self.accepted(*await _ask(server, self._execute(CENSUS, {}, {})))
        status = "pending"
        while status != "completed":
            await asyncio.sleep(_CENSUS_SECONDS)
            _, body = await _ask(server, Request(f"{API}/executions/{execution}", self._auth))
            answer = json.loads(body)["data"]
            status = answer["status"]
        _, metrics = await _ask(server, Request("/metrics"))
        return {**_counts(answer["outputs"]), **_metrics(metrics.decode())}

    async def _create(self, server: Address, definition: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(definition).encode()
        status, answer = await _ask(server, Request(f"{API}/workflows", self._auth, body))
        if status != 201:
            raise ValueError(f"{definition}\n{answer.decode()}")
        created: dict[str, Any] = json.loads(answer)["data"]
        return created

    @property
    def _auth(self) -> dict[str, str]:
        return {"X-API-Key": self._key}


def _database(folder: Path) -> dict[str, str]:
    return {"FLOWMAESTRO_DATABASE": f"sqlite:///{folder / 'flowmaestro.db'}"}


def _read(folder: Path, query: str, *values: object) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "flowmaestro.db")) as connection:
        return connection.execute(query, values).fetchall()


async def _ask(server: Address, request: Request) -> tuple[int, bytes]:
    response = await send(server, request)
    try:
        return response.status, await response.whole()
    finally:
        response.abort()


def _counts(outputs: Any) -> dict[str, float]:
    text = json.dumps(outputs)
    return {name: float(value) for name, value in re.findall(r'"(\w+)": (\d+)', text)}


def _metrics(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines())
    return {name: float(value) for name, _, value in lines if name in _GAUGES}
