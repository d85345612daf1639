"""What happens to the server's process, at instants that nobody chose."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Literal, get_args

from torture.process import Server

FaultKind = Literal["kill", "kill while starting", "terminate", "freeze", "freeze and kill"]

_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
_WEIGHTS = (45, 10, 20, 15, 10)
_QUIET_SECONDS = 1.0
"""So long without an event, and the next fault comes without waiting for one."""
_LOOK_SECONDS = 0.002


class Injector:
    """Does *count* faults to *server*, spread over the events that readers are sent.

    Args:
        seen: how many events readers have been sent so far: faults are to hit work, on machines of
            any speed.
        each: how many events lie between two faults at most.
    """

    def __init__(
        self, server: Server, random: Random, seen: Callable[[], int], *, count: int, each: int
    ) -> None:
        self.counts: Counter[FaultKind] = Counter()
        self.complaints: list[str] = []
        """What was wrong with how the server ended when it was asked to."""
        self._server = server
        self._random = random
        self._seen = seen
        self._plan = [
            (random.choices(_KINDS, _WEIGHTS)[0], random.randint(1, each)) for _ in range(count)
        ]

    async def run(self) -> None:
        """Do all of it, and leave the server running.

        Raises:
            ServerFailed: the server does not come back.
        """
        for kind, events in self._plan:
            await self._wait_for(events)
            # Within what the server does for an event, too: not only when a reader has it.
            await asyncio.sleep(self._random.uniform(0, 0.03))
            await self._inject(kind)
            self.counts[kind] += 1

    async def _wait_for(self, events: int) -> None:
        target, newest = self._seen() + events, self._seen()
        quiet = 0.0
        while self._seen() < target and quiet < _QUIET_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            quiet = 0.0 if self._seen() != newest else quiet + _LOOK_SECONDS
            newest = self._seen()

    async def _inject(self, kind: FaultKind) -> None:
        match kind:
            case "kill":
                await self._server.kill()
            case "kill while starting":
                await self._server.kill()
                await self._server.launch()
                await asyncio.sleep(self._random.uniform(0, 1.5))
                await self._server.kill()
            case "terminate":
                if complaint := await self._server.stop():
                    self.complaints.append(complaint)
            case "freeze" | "freeze and kill":
                self._server.freeze()
                await asyncio.sleep(self._random.uniform(0.05, 1.5))
                if kind == "freeze":
                    self._server.thaw()
                    return
                await self._server.kill()
        await self._server.start()
