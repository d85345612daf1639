"""The readers that stay: many for each of a few executions that say something at a steady pace."""

from __future__ import annotations

import asyncio
import json
from array import array
from pathlib import Path
from typing import Self

from benchmarks.fanout.processes import request_head
from benchmarks.fanout.readers import Readers
from benchmarks.load.client import Client
from benchmarks.load.nodes import EVENT_NAME

MAX_SAMPLES = 1_000_000


class Watchers:
    """They are open; each checks that it misses nothing."""

    def __init__(self, client: Client, readers: Readers, executions: list[str]) -> None:
        self._client = client
        self._readers = readers
        self._executions = executions

    @classmethod
    async def open(
        cls,
        client: Client,
        port: int,
        key: str,
        *,
        generator: Path,
        folder: Path,
        core: int,
        count: int,
        executions: int,
        per_second: float,
    ) -> Self:
        """Start so many *executions* and open *count* streams over them in turn; each execution has
        *per_second* events a second."""
        workflow_id = await create_workflow(
            client,
            {
                "name": "beat",
                "nodes": {
                    "beat": {
                        "type": "python",
                        "config": {
                            "function": "beat",
                            "arguments": {"seconds": 3600, "per_second": per_second},
                        },
                    }
                },
                "edges": [],
            },
        )
        ids = [await client.execute(workflow_id, {}) for _ in range(executions)]
        heads = [
            request_head(
                f"/api/v1/executions/{id_}/events?include={EVENT_NAME}", {"X-API-Key": key}
            )
            for id_ in ids
        ]
        readers = await asyncio.to_thread(
            Readers.open,
            generator,
            folder,
            core=core,
            port=port,
            heads=heads,
            connections=count,
            check_ids=True,
            samples=MAX_SAMPLES,
        )
        return cls(client, readers, ids)

    @property
    def pid(self) -> int:
        """Of the process that reads."""
        return self._readers.process.pid

    async def take(self) -> list[float]:
        """Return how long the events of the time since the last call took to each reader, in
        seconds, from when they came to be.

        Raises:
            EventsLost: a reader missed one, or got one twice.
        """
        samples = await asyncio.to_thread(self._take)
        return [
            (received - sent) / 1e9 for received, sent in zip(samples[1], samples[0], strict=True)
        ]

    def _take(self) -> tuple[array[int], array[int]]:
        samples = self._readers.samples()
        self._readers.reset()
        return samples.sent_ns, samples.received_ns

    async def close(self) -> None:
        """Close the streams, and cancel what they followed."""
        await asyncio.to_thread(self._readers.close)
        for id_ in self._executions:
            await self._client.ask("POST", f"/api/v1/executions/{id_}/cancel")


async def create_workflow(client: Client, definition: object) -> str:
    """Store a workflow and return its id."""
    answer = json.loads(await client.ask("POST", "/api/v1/workflows", definition))
    found: str = answer["data"]["id"]
    return found
