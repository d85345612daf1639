"""One round: executions, readers and faults, all at once; then a comparison with the disk."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from torture.faults import Injector
from torture.oracle import (
    Effect,
    Frame,
    Kind,
    Violation,
    check_acceptance,
    check_effects,
    check_log,
    check_recording,
)
from torture.process import Server
from torture.proxy import Proxy, any_trouble
from torture.readers import HABITS, Refused, follow, follow_with_curl
from torture.subject import Address, Subject, View
from torture.submitting import begin, cancel
from torture.wire import WireError

SETTLE_SECONDS = 20.0
"""How long what a round held open may take to be given back."""
_LOOK_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything in a round."""

    executions: int = 24
    readers: int = 4
    """Of each execution."""
    faults: int = 4
    cancelled: float = 0.1
    """Which part of the executions is cancelled."""
    finish_seconds: float = 120.0
    """How long readers may take to finish once nothing disturbs them."""


@dataclass
class Reader:
    """A reader, and what it was sent."""

    kind: str
    execution: str
    view: View
    recording: list[Frame] = field(default_factory=list)
    complaint: str | None = None


@dataclass
class Outcome:
    """What a round did and found."""

    executions: int = 0
    readers: Counter[str] = field(default_factory=Counter)
    events: int = 0
    """Of the logs."""
    deliveries: int = 0
    """Events that readers were sent and that were compared."""
    effects: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)


class Round:
    """A round on a server that runs. Afterwards the server is stopped.

    Args:
        accepted: the executions of earlier rounds on the same folder; this round's are added.
        baseline: what the server's gauges said when it was idle.
    """

    def __init__(
        self,
        subject: Subject,
        server: Server,
        address: Address,
        folder: Path,
        accepted: list[str],
        baseline: Mapping[str, float],
        *,
        seed: str,
        size: Size,
    ) -> None:
        self._subject = subject
        self._server = server
        self._address = address
        self._folder = folder
        self._accepted = accepted
        self._baseline = baseline
        self._seed = seed
        self._size = size
        self._readers: list[Reader] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._outcome = Outcome()

    async def run(self) -> Outcome:
        """Do it, and compare.

        Raises:
            ServerFailed: the server does not come back.
        """
        network = Random(f"{self._seed} network")
        earlier = len(self._accepted)
        async with Proxy(self._address, partial(any_trouble, network)) as proxy:
            injector = Injector(
                self._server,
                Random(f"{self._seed} faults"),
                lambda: sum(len(reader.recording) for reader in self._readers),
                count=self._size.faults,
                each=self._size.executions * self._size.readers * 5,
            )
            beginning = asyncio.create_task(self._begin_all(proxy.address))
            await injector.run()
            await self._wait_until_begun(beginning)
            proxy.calm_down()
            await self._finish()
        self._outcome.faults.update(injector.counts)
        self._outcome.connections.update(proxy.counts)
        for complaint in injector.complaints:
            self._found("stop", "the server", complaint)
        await self._settle()
        if (wrong := await self._server.stop()) is not None:
            self._found("stop", "the server", wrong)
        self._compare(self._accepted[earlier:])
        return self._outcome

    async def _begin_all(self, server: Address) -> None:
        random = Random(f"{self._seed} executions")
        await asyncio.gather(
            *(self._begin(server, Random(random.random())) for _ in range(self._size.executions))
        )

    async def _wait_until_begun(self, beginning: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(self._size.finish_seconds):
                await beginning
        except TimeoutError:
            self._found("unfinished", "a request", "no answer that is final, however often sent")

    async def _begin(self, server: Address, random: Random) -> None:
        # Some at once, some while all of it goes on.
        await asyncio.sleep(random.choice([0.0, random.uniform(0, 1 + self._size.faults)]))
        execution = await begin(self._subject, server, random)
        self._accepted.append(execution)
        for _ in range(self._size.readers):
            reader, following = self._reader(server, execution, random)
            self._readers.append(reader)
            self._tasks.append(asyncio.create_task(_watch(reader, following())))
        if random.random() < self._size.cancelled:
            await cancel(self._subject, server, execution, random)

    def _reader(
        self, server: Address, execution: str, random: Random
    ) -> tuple[Reader, Callable[[], Awaitable[None]]]:
        subject = self._subject
        view = random.choice([subject.views[0], random.choice(subject.views)])
        kinds = [*(habits.name for habits in HABITS), "curl", *subject.sdk_readers]
        kind = random.choice(kinds)
        if kind in subject.sdk_readers:
            reader = Reader(kind, execution, subject.views[0])
            sdk = subject.sdk_readers[kind]
            return reader, partial(sdk, server, execution, reader.recording)
        reader = Reader(kind, execution, view)
        stream = (subject, server, execution, view, reader.recording)
        if kind == "curl":
            return reader, partial(follow_with_curl, *stream, random=random)
        habits = next(habits for habits in HABITS if habits.name == kind)
        return reader, partial(follow, *stream, habits=habits, random=random)

    async def _finish(self) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._size.finish_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task, reader in zip(self._tasks, self._readers, strict=True):
            if task in late:
                detail = f"no end after {len(reader.recording)} events"
                self._found("unfinished", _name(reader), detail)
            elif reader.complaint is not None:
                self._found("protocol", _name(reader), reader.complaint)

    async def _settle(self) -> None:
        """Wait until the server holds no more than it did when it was idle."""
        deadline = time.monotonic() + SETTLE_SECONDS
        try:
            while left := await self._left_over():
                if time.monotonic() > deadline:
                    for name, value in left.items():
                        detail = f"{value:g}, {self._baseline[name]:g} when it was idle"
                        self._found("left over", name, detail)
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            self._found("unfinished", "the server", f"no answer within {SETTLE_SECONDS:g} s")

    async def _left_over(self) -> dict[str, float]:
        async with asyncio.timeout(SETTLE_SECONDS):
            gauges = await self._subject.gauges(self._address)
        return {name: value for name, value in gauges.items() if value > self._baseline[name]}

    def _compare(self, executions: list[str]) -> None:
        subject, folder, outcome = self._subject, self._folder, self._outcome
        outcome.violations += check_acceptance(self._accepted, subject.executions(folder))
        begun: set[Effect] = set()
        succeeded: set[Effect] = set()
        logs = {execution: subject.log(folder, execution) for execution in executions}
        for execution, log in logs.items():
            outcome.violations += check_log(execution, log, subject.terminal)
            ledger = subject.ledger(execution, log)
            begun |= ledger.begun
            succeeded |= ledger.succeeded
            outcome.events += len(log)
        for reader in self._readers:
            outcome.violations += check_recording(
                _name(reader), logs[reader.execution], reader.recording, reader.view.wanted
            )
            outcome.readers[reader.kind] += 1
            outcome.deliveries += len(reader.recording)
        effects = [effect for effect in subject.effects(folder) if effect.execution in logs]
        outcome.violations += check_effects(effects, frozenset(begun), frozenset(succeeded))
        outcome.effects = len(effects)
        outcome.executions = len(executions)

    def _found(self, kind: Kind, where: str, detail: str) -> None:
        self._outcome.violations.append(Violation(kind, where, detail))


async def _watch(reader: Reader, following: Awaitable[None]) -> None:
    try:
        await following
    except (WireError, Refused) as error:
        reader.complaint = str(error)
    except Exception as error:  # a subject's own library may raise anything
        reader.complaint = f"{type(error).__name__}: {error}"


def _name(reader: Reader) -> str:
    return f"{reader.kind} reader of {reader.execution} ({reader.view.name})"
