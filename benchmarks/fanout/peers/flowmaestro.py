"""FlowMaestro itself, put together as ``flowmaestro serve`` does: settings, SQLite, engine, API.

A topic is an execution of a workflow whose one node says the events with ``context.log``. So each
goes through the engine's inbox, the scheduler and a durable commit before its readers have it, and
all of that is in the figures. Readers send an API key that has no rate limit.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from benchmarks.fanout.frames import EVENT_NAME, message
from benchmarks.fanout.peers import speaker
from benchmarks.fanout.peers.control import Answer, Order, obey, say
from flowmaestro.api.keys import BUNDLES, display_prefix, generate_key, hash_key
from flowmaestro.main import Running, composition, load_settings, running
from flowmaestro.main.server import Server, uvicorn_config
from flowmaestro.storage import LogRecord, NewKey
from flowmaestro.streaming import Hub

WORKSPACE = "bench"
MAX_TOPICS = 2048
WORKFLOW = {
    "name": "speak",
    "nodes": {"speak": {"type": "python", "config": {"function": "speak", "arguments": {}}}},
    "edges": [],
}
HTTP_PROTOCOLS = {"default": None, "plain": HttpToolsProtocol}
"""How connections are served: as ``flowmaestro serve`` does it, or as any other ASGI server."""


class Commits:
    """Notes when each event was committed, and how many of a topic are not yet."""

    def __init__(self) -> None:
        self.times = array("Q")
        """For each event its topic, its number and the time in nanoseconds."""
        self.topic_of: dict[str, int] = {}
        self.unrecorded: list[int] = []
        self._numbers: list[int] = []
        self._room = asyncio.Event()

    def follow(self, execution_ids: list[str]) -> None:
        self.topic_of = {id_: topic for topic, id_ in enumerate(execution_ids)}
        self.unrecorded = [0] * len(execution_ids)
        self._numbers = [0] * len(execution_ids)

    def __call__(self, execution_id: str, records: list[LogRecord]) -> None:
        topic = self.topic_of.get(execution_id)
        if topic is None:
            return
        now = time.monotonic_ns()
        spoken = sum(record.type == EVENT_NAME for record in records)
        for _ in range(spoken):
            self._numbers[topic] += 1
            self.times.extend((topic, self._numbers[topic], now))
        self.unrecorded[topic] -= spoken
        self._room.set()

    async def wait_for_room(self, topic: int, window: int) -> None:
        while self.unrecorded[topic] >= window:
            self._room.clear()
            await self._room.wait()


class Speakers:
    """Publishes by the contexts of running nodes."""

    def __init__(self, parts: Running, commits: Commits, workflow_id: str, key: str) -> None:
        self._parts = parts
        self._commits = commits
        self._workflow_id = workflow_id
        self._key = key
        self._contexts: list[Any] = []

    async def topics(self, count: int) -> Answer:
        assert count <= MAX_TOPICS
        accepted = await asyncio.gather(
            *(self._parts.engine.accept(WORKSPACE, self._workflow_id, {}) for _ in range(count))
        )
        ids = [execution.id for execution, _ in accepted]
        async with speaker.joined:
            await speaker.joined.wait_for(lambda: len(speaker.contexts) == count)
        self._contexts = [speaker.contexts[id_] for id_ in ids]
        self._commits.follow(ids)
        return {
            "targets": [f"/api/v1/executions/{id_}/events?include={EVENT_NAME}" for id_ in ids],
            "headers": {"X-API-Key": self._key},
        }

    async def publish(self, topic: int, number: int, sent_ns: int, order: Order) -> None:
        await self._commits.wait_for_room(topic, order.window)
        self._commits.unrecorded[topic] += 1
        self._contexts[topic].log(message(number, sent_ns, order.padding_bytes))

    async def write_commits(self, path: str) -> Answer:
        Path(path).write_bytes(self._commits.times.tobytes())
        return {}


def listen_first(commits: Commits) -> None:
    """Have *commits* hear of each commit before the hub does, so that its time is the commit's and
    not that of the last reader."""

    def hub_of(log: Any, *arguments: Any, **options: Any) -> Any:
        log.on_commit(commits)
        return Hub(log, *arguments, **options)

    vars(composition)[Hub.__name__] = hub_of


async def create_key(parts: Running) -> str:
    key = generate_key("live")
    await parts.storage.keys.create(
        NewKey(
            name="bench",
            workspace=WORKSPACE,
            environment="live",
            scopes=BUNDLES["read-only"],
            key_hash=hash_key(key),
            prefix=display_prefix(key),
            created_at=datetime.now(UTC),
            expires_at=None,
            rate_limit_per_minute=0,
            rate_limit_per_day=0,
        )
    )
    return key


async def create_workflow(parts: Running) -> str:
    workflow = await parts.storage.workflows.create(
        WORKSPACE, WORKFLOW, name="speak", id=None, input_schema=None
    )
    return workflow.id


async def main(database: str, http: str) -> None:
    settings = load_settings(
        database=database,
        nodes=(speaker.__name__,),
        max_concurrent_nodes=MAX_TOPICS,
        max_concurrent_executions=MAX_TOPICS,
        max_starting_executions=MAX_TOPICS,
        max_start_delay_seconds=None,
    )
    commits = Commits()
    listen_first(commits)
    async with running(settings) as parts:
        speakers = Speakers(parts, commits, await create_workflow(parts), await create_key(parts))
        config = uvicorn_config(parts)
        config.http = HTTP_PROTOCOLS[http] or config.http
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        server = Server(config, parts, address="standard input's harness")
        gc.freeze()  # as `flowmaestro serve` does
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            say({"port": listener.getsockname()[1], "pids": [os.getpid()]})
            await obey(speakers, {"commits": speakers.write_commits})
            os._exit(0)  # an orderly end is no part of this, and the database is thrown away


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
