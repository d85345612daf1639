"""The engine of a single process: asyncio around the scheduler.

What is to be done is in the storage, not here: an engine that starts finds every execution that is
pending or running and goes on with it from its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flowmaestro.events import content_bytes, decode_event
from flowmaestro.nodes import NodeType
from flowmaestro.storage import (
    Execution,
    Idempotency,
    NewExecution,
    Storage,
    StorageUnavailable,
)
from flowmaestro.workflow import ExecutionState, Recorder, check_inputs

from .backlog import Backlog
from .clock import ExecutionClock, steady_seconds, utc_now, whole_milliseconds
from .definitions import Definitions
from .endings import Endings
from .errors import AlreadyEnded, EngineBusy, EngineStopping, InvalidInputs
from .log_context import detached, set_log_fields
from .options import EngineOptions
from .redaction import Redactor
from .run import ConflictingLog, ExecutionRun
from .slots import NodeSlots
from .starts import Place, Starts
from .statistics import EngineStatistics
from .step import RunServices
from .threads import DaemonThreadExecutor

logger = logging.getLogger(__name__)

REPLAY_PAGE = 1_000
CANCEL_SECONDS = 5.0
"""How long a request to cancel waits for a log that cannot be written."""


class LocalEngine:
    """Runs executions in this process.

    :param storage: an open storage that no other engine uses.
    :param node_types: the node types by name.
    :param options: its bounds, and the operator's secrets.
    :param now: the wall clock: aware, UTC.
    :param steady: seconds by a clock that nobody sets.
    """

    def __init__(
        self,
        storage: Storage,
        node_types: Mapping[str, NodeType],
        options: EngineOptions | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._storage = storage
        self._options = options or EngineOptions()
        self._now = now
        self._steady = steady
        self._definitions = Definitions(storage.workflows)
        self._slots = NodeSlots(self._options.max_running_nodes)
        self._starts = Starts(
            self._options.max_starting_executions, self._options.max_start_delay_seconds
        )
        self._executor = DaemonThreadExecutor()
        self.statistics = EngineStatistics()
        self._endings = Endings(storage.log, self.statistics, now)
        self._services = RunServices(
            log=storage.log,
            node_types=node_types,
            options=self._options,
            redactor=Redactor(self._options.secrets.values()),
            slots=self._slots,
            executor=self._executor,
            statistics=self.statistics,
        )
        self._runs: dict[str, ExecutionRun] = {}
        self._tasks: dict[str, asyncio.Task[bool]] = {}
        self._backlog = Backlog(storage.executions, self._begin, self._has_room)
        self._unfinished = 0
        self._accepting = False

    # What metrics and health read.

    @property
    def accepting(self) -> bool:
        """Whether new executions are taken."""
        return self._accepting

    @property
    def running_nodes(self) -> int:
        """How many nodes run now."""
        return self._slots.used

    @property
    def active_executions(self) -> int:
        """How many executions are held in memory."""
        return len(self._tasks)

    @property
    def unfinished_executions(self) -> int:
        """How many executions are pending or running."""
        return self._unfinished

    def queues(self) -> dict[str, tuple[int, int | None]]:
        """Return how much is in each of the engine's queues, and its bound."""
        return {
            "starting_executions": (len(self._starts), self._options.max_starting_executions),
            "running_nodes": (self._slots.used, self._slots.capacity),
            "active_executions": (len(self._tasks), self._options.max_active_executions),
            "unfinished_executions": (self._unfinished, self._options.max_unfinished_executions),
        }

    @property
    def starting_executions(self) -> int:
        """How many executions are being accepted, or have yet to begin."""
        return len(self._starts)

    @property
    def start_delay_seconds(self) -> float:
        """For how long the oldest of these has been on its way."""
        return self._starts.delay_seconds

    @property
    def refused_executions(self) -> int:
        """How many were refused, since the start: there were too many, or they came too fast."""
        return self.statistics.refused + self._starts.refused

    def check_overload(self) -> None:
        """Find out, at next to no cost, whether :meth:`accept` would refuse just now.

        :raises EngineOverloaded: it would; that was counted as a refusal.
        """
        self._starts.check()

    async def start(self) -> None:
        """Take up every execution that is pending or running, and accept new ones.

        :raises StorageUnavailable: if the storage cannot be read.
        """
        self._unfinished = await self._storage.executions.count_unfinished()
        if self._unfinished:
            logger.info(
                "unfinished executions are taken up", extra={"executions": self._unfinished}
            )
            self._backlog.add()
        self._accepting = True

    async def accept(
        self,
        workspace: str,
        workflow_id: str,
        inputs: Mapping[str, Any],
        idempotency: Idempotency | None = None,
        *,
        traceparent: str | None = None,
    ) -> tuple[Execution, bool]:
        """Store an execution of a workflow's newest version, and begin it.

        When this returns the execution is durable: it will run, through any crash.

        *traceparent* is the W3C header of the request, of which it is to be part.

        :returns: the execution, and whether it is new (the same *idempotency* key gives the first
            one again).
        :raises UnknownWorkflow: if the workspace has no such workflow.
        :raises InvalidInputs: if the inputs do not fit the workflow.
        :raises UncallableWorkflow: if a ``workflow`` node calls one that does not exist.
        :raises IdempotencyMismatch: if the key was used for another request.
        :raises EngineBusy: if too many executions are unfinished.
        :raises EngineOverloaded: if they come faster than they can begin.
        :raises EngineStopping: during a shutdown.
        :raises StorageUnavailable: if it could not be stored; nothing was.
        """
        if idempotency is not None:
            repeated = await self._storage.executions.find_repeated(workspace, idempotency)
            if repeated is not None:
                return repeated, False
        if not self._accepting:
            raise EngineStopping
        if self._unfinished >= self._options.max_unfinished_executions:
            self.statistics.refused += 1
            raise EngineBusy(self._options.max_unfinished_executions)
        place: Place | None = self._starts.enter()
        try:
            execution, created = await self._create(
                workspace, workflow_id, inputs, idempotency, traceparent
            )
            if created:
                self.statistics.accepted += 1
                self._unfinished += 1
                if self._backlog or not self._has_room():
                    self._backlog.add()
                else:
                    self._begin(execution, place)
                    place = None
            return execution, created
        finally:
            if place is not None:
                self._starts.leave(place)

    async def _create(
        self,
        workspace: str,
        workflow_id: str,
        inputs: Mapping[str, Any],
        idempotency: Idempotency | None,
        traceparent: str | None,
    ) -> tuple[Execution, bool]:
        workflow = await self._storage.workflows.get(workspace, workflow_id)
        versions = await self._definitions.pin(workspace, workflow)
        graph = (await self._definitions.load(workspace, {workflow.id: workflow.version}))[
            workflow.id
        ]
        if problems := check_inputs(graph.definition, inputs):
            raise InvalidInputs(problems)
        return await self._storage.executions.create(
            NewExecution(
                id=self._storage.ids.new_id("exec"),
                workspace=workspace,
                workflow_id=workflow.id,
                workflow_name=workflow.name,
                definitions=versions,
                inputs=inputs,
                created_at=whole_milliseconds(self._now()),
                idempotency=idempotency,
                traceparent=traceparent,
            )
        )

    async def cancel(self, execution_id: str, reason: str) -> Execution:
        """End an execution as cancelled, and return it as it is then.

        Running nodes are cancelled. Functions in threads cannot be: they are no longer waited for.

        :raises UnknownExecution: if there is no such execution.
        :raises AlreadyEnded: if it has finished.
        :raises StorageUnavailable: if the cancellation could not be recorded yet: of an execution
            that runs it will be, as soon as its log can be written.
        """
        execution = await self._storage.executions.get(execution_id)
        if execution.ended:
            raise AlreadyEnded(execution)
        task = self._tasks.get(execution_id)
        if task is not None:
            if execution_id in self._runs:
                self._runs[execution_id].cancel(reason)
            else:
                await self._endings.cancel(execution, reason)
            done, _ = await asyncio.wait([task], timeout=CANCEL_SECONDS)
            if not done:
                raise StorageUnavailable("the cancellation is not recorded yet, but will be")
        else:
            await self._cancel_waiting(execution, reason)
        ended = await self._storage.executions.get(execution_id)
        if ended.status != "cancelled":
            raise AlreadyEnded(ended)
        return ended

    async def _cancel_waiting(self, execution: Execution, reason: str) -> None:
        cancelled = await self._endings.cancel(execution, reason)
        # If it was begun meanwhile, its run finds that it has ended, and it is counted then.
        if cancelled and execution.id not in self._tasks:
            self._unfinished -= 1
            self._backlog.ended(execution.id)

    async def drain(self, grace_seconds: float) -> None:
        """Take no new work, start no more nodes, and wait for the running ones.

        Those that are not done after *grace_seconds* are cancelled; they are started again, with
        the next attempt number, by the next engine on this storage.
        """
        self._accepting = False
        self._backlog.close()
        for run in self._runs.values():
            run.drain()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_seconds)
            for task in late:
                task.cancel()
            if late:
                # Not longer than a moment: a node may refuse to be cancelled.
                await asyncio.wait(late, timeout=1)
        self._executor.shutdown(wait=False)

    # Taking up work.

    def _has_room(self) -> bool:
        return len(self._tasks) < self._options.max_active_executions

    def _begin(self, execution: Execution, place: Place | None = None) -> None:
        """Run an execution; it gives up its *place* when its first event is durable."""

        def begun() -> None:
            if place is not None:
                self._starts.leave(place)

        if execution.id in self._tasks:
            begun()
            return
        # Not in the context of the request that happens to begin it: an execution outlives it.
        context = detached()
        work = self._run(execution, begun)
        task = asyncio.get_running_loop().create_task(work, name=execution.id, context=context)
        self._tasks[execution.id] = task

        def ended(task: asyncio.Task[bool]) -> None:
            begun()
            self._ended(execution.id, task)

        task.add_done_callback(ended, context=context)

    def _ended(self, execution_id: str, task: asyncio.Task[bool]) -> None:
        del self._tasks[execution_id]
        self._runs.pop(execution_id, None)
        if not self._accepting:
            return
        if not task.cancelled() and task.exception() is None and task.result():
            self._unfinished -= 1
            self._backlog.ended(execution_id)
        else:
            self._backlog.put_off()

    async def _run(self, execution: Execution, begun: Callable[[], None]) -> bool:
        """Run an execution; return whether its log has its end. *begun* is called when the first
        events that this engine adds to it are durable."""
        trace = self._options.trace(execution) if self._options.trace is not None else None
        fields = {"execution_id": execution.id}
        if trace is not None:
            fields["trace_id"] = trace.trace_id
        set_log_fields(fields)
        try:
            graphs = await self._definitions.load(execution.workspace, execution.definitions)
            state = ExecutionState(
                graphs[execution.workflow_id],
                execution.inputs,
                graphs,
                max_results_bytes=self._options.max_outputs_bytes,
            )
            if execution.status != "pending":
                await self._replay(execution.id, state)
                self.statistics.recovered += 1
                logger.info("execution goes on from its log", extra={"events": state.last_number})
            recorder = Recorder(execution.id, execution.workflow_id, execution.workflow_name)
            clock = ExecutionClock(
                self._now, self._steady, not_before=max(execution.created_at, state.now)
            )
            run = ExecutionRun(self._services, recorder, state, execution, clock, begun, trace)
            self._runs[execution.id] = run
            if not self._accepting:
                run.drain()
            logger.debug("execution begins", extra={"workflow_id": execution.workflow_id})
            return await run.run()
        except StorageUnavailable as error:
            logger.warning("the execution is put off: %s", error)
        except ConflictingLog:
            self.statistics.conflicts += 1
            logger.exception("the execution is left alone")
            return True
        except Exception:
            self.statistics.internal_failures += 1
            logger.exception("the execution failed within the engine")
            with contextlib.suppress(StorageUnavailable):
                await self._endings.fail(execution)
                return True
        return False

    async def _replay(self, execution_id: str, state: ExecutionState) -> None:
        while records := await self._storage.log.read(
            execution_id, after=state.last_number, limit=REPLAY_PAGE
        ):
            for record in records:
                event = decode_event(record.data)
                state.apply(event, content_bytes(event, record.data))
