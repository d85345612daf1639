"""What only somebody who looks now and then can say: how late the event loop is, how long the
oldest execution has waited, how large the database is."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client.metrics_core import Metric

from flowmaestro.api.metrics import gauge, histogram
from flowmaestro.storage import SHORT_SECONDS, Distribution, Storage, StorageUnavailable

BEAT_SECONDS = 0.5
BEATS_A_LOOK = 10
"""How many beats pass from one look at the storage to the next."""


class Vitals:
    """Looks while :meth:`watch` runs, and tells in :meth:`metrics`.

    Args:
        storage: what is looked at.
        clock: the wall clock, aware.
    """

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock
        self._lag_seconds = Distribution(SHORT_SECONDS)
        self._pending_since: datetime | None = None

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(StorageUnavailable):  # what it said last stays
                self._pending_since = await self._storage.executions.oldest_pending_since()
            for _ in range(BEATS_A_LOOK):
                due = loop.time() + BEAT_SECONDS
                await asyncio.sleep(BEAT_SECONDS)
                self._lag_seconds.observe(max(0.0, loop.time() - due))

    def metrics(self) -> Iterator[Metric]:
        """Yield what was seen."""
        yield histogram(
            "event_loop_lag_seconds",
            "How late the event loop woke who asked to be: what a callback holds it up.",
            self._lag_seconds,
        )
        since = self._pending_since
        waited = 0.0 if since is None else max(0.0, (self._clock() - since).total_seconds())
        yield gauge(
            "oldest_pending_execution_seconds",
            "How long the pending execution that has waited longest has waited; 0: none waits.",
            waited,
        )
        path = self._storage.path
        with contextlib.suppress(OSError):
            yield gauge(
                "database_bytes",
                "The size of the database's files.",
                {("main",): _size(path), ("wal",): _size(path.with_name(f"{path.name}-wal"))},
                ("file",),
            )
            yield gauge(
                "disk_free_bytes",
                "Room on the disk that holds the database.",
                shutil.disk_usage(path.parent).free,
            )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
