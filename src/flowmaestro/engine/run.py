"""One execution being run: the loop around the scheduler.

Everything that happens to an execution goes through the inbox of its :class:`ExecutionRun`, which
alone changes its state and writes its log. A step takes the inbox, asks the scheduler until it has
nothing more to say, and appends all that came of it at once; only when that is durable do the nodes
that it started begin.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import datetime

from flowmaestro.storage import Execution, LogEnded, LogEntry, StorageClosed, StorageUnavailable
from flowmaestro.workflow import ExecutionState, NodeState, Recorder, milliseconds_between
from flowmaestro.workflow.trace_context import TraceContext

from .endings import note_end
from .execute_node import Failed, execute_node
from .log_context import set_log_fields
from .reports import Ended, Message, ProgressReport
from .step import RunServices, Step, Stepper

logger = logging.getLogger(__name__)

FIRST_APPEND_RETRY_SECONDS = 0.1
LAST_APPEND_RETRY_SECONDS = 5.0


class ConflictingLog(Exception):
    """The log holds an event already that this run was about to append: it is not the only one."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"somebody else writes the log of {execution_id}")


class ExecutionRun:
    """Runs one execution until its log has its terminal event.

    :param state: the state as its log gives it.
    :param execution: its row.
    :param trace: its place in a trace.
    """

    def __init__(
        self,
        services: RunServices,
        recorder: Recorder,
        state: ExecutionState,
        execution: Execution,
        trace: TraceContext | None = None,
    ) -> None:
        self._services = services
        self._recorder = recorder
        self._state = state
        self._stepper = Stepper(services, recorder, state, execution.created_at, self.post, trace)
        self._execution = execution
        self._trace = trace
        self._inbox: deque[Message] = deque()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._cancel_reason: str | None = None
        self._draining = False
        self._woken = False

    @property
    def execution_id(self) -> str:
        return self._recorder.execution_id

    async def run(self) -> bool:
        """Run the execution and return whether its log has its end: :meth:`drain` has it stop
        before.

        :raises ConflictingLog: if somebody else writes the execution's log.
        :raises StorageClosed: if the storage is closed meanwhile.

        Cancelling it stops the running nodes and leaves the log as it is: the execution goes on
        from there with the next server.
        """
        try:
            if self._state.running:
                await self._commit(self._stepper.interrupted())
            while not self._state.ended:
                step = self._step()
                await self._commit(step)
                if self._draining and not self._tasks and not self._inbox:
                    break
                if not step.is_full:
                    await self._wait(step.now)
        except LogEnded:
            logger.info("the log was ended by somebody else")
            return True
        finally:
            self._services.slots.forget(self._wake)
            self._stop_tasks()
        if self._state.ended:
            self._note_end()
        return self._state.ended

    def cancel(self, reason: str) -> None:
        """Have the execution end as cancelled with its next step."""
        self._cancel_reason = self._cancel_reason or reason
        self._wake()

    def drain(self) -> None:
        """Start no more nodes; :meth:`run` returns when the running ones have ended."""
        self._draining = True
        self._wake()

    def post(self, message: Message) -> None:
        """Put a message of a node into the inbox."""
        self._inbox.append(message)
        self._wake()

    def _note_end(self) -> None:
        state = self._state
        duration_ms = milliseconds_between(
            state.started_at or self._execution.created_at, state.now
        )
        note_end(
            self._services.statistics,
            self._execution,
            state.status,
            duration_ms,
            state.last_number,
        )

    # Waiting and waking.

    def _step(self) -> Step:
        self._woken = False
        step = self._stepper.take(
            self._inbox, cancel_reason=self._cancel_reason, may_start_nodes=not self._draining
        )
        slots = self._services.slots
        startable = self._state.ready or self._state.retrying
        if startable and slots.free == 0 and not self._state.ended:
            slots.wake_when_free(self._wake)
        return step

    def _wake(self) -> None:
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, now: datetime) -> None:
        """Wait for a message, a cancellation, a free slot or the next deadline."""
        if self._woken or self._state.ended:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        deadline = self._stepper.next_deadline(now, may_start_nodes=not self._draining)
        timer = None
        if deadline is not None:
            timer = loop.call_later(max(0.0, (deadline - now).total_seconds()), self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    # Commits and tasks.

    async def _commit(self, step: Step) -> None:
        try:
            if step.entries:
                await self._append(step.entries)
        except BaseException:
            for _ in step.starts:
                self._services.slots.release()
            for report in step.reports:
                report.cancel()
            raise
        for report in step.reports:
            if not report.done():
                report.set_result(None)
        for node in step.starts:
            self._launch(node)
        for path in [path for path in self._tasks if path not in self._state.running]:
            self._tasks[path].cancel()

    async def _append(self, entries: list[LogEntry]) -> None:
        delay = FIRST_APPEND_RETRY_SECONDS
        while True:
            try:
                records = await self._services.log.append(self.execution_id, entries)
                if len(records) != len(entries):
                    raise ConflictingLog(self.execution_id)
                return
            except StorageClosed:
                raise
            except StorageUnavailable as error:
                logger.warning("cannot append to the log: %s", error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LAST_APPEND_RETRY_SECONDS)

    def _launch(self, node: NodeState) -> None:
        path, attempt = node.path, node.attempt
        if self._state.running.get(path) is not node:
            # It was stopped by an event of the same step.
            self._services.slots.release()
            return
        task = asyncio.get_running_loop().create_task(self._run_node(node), name=f"node {path}")
        self._tasks[path] = task

        def done(task: asyncio.Task[None]) -> None:
            self._services.slots.release()
            if self._tasks.get(path) is task:
                del self._tasks[path]
            if task.cancelled():
                self._wake()
            elif (error := task.exception()) is not None:
                self.post(
                    Ended(path, attempt, Failed(f"internal error: {error}", "internal_error"))
                )

        task.add_done_callback(done)

    async def _run_node(self, node: NodeState) -> None:
        node_type = self._services.node_types[node.node.type]
        attempt = node.attempt
        fields: dict[str, object] = {
            "execution_id": self.execution_id,
            "node_id": node.path,
            "attempt": attempt,
        }
        if self._trace is not None:
            fields["trace_id"] = self._trace.trace_id
        set_log_fields(fields)
        outcome = await execute_node(
            node_type,
            self._stepper.request(node, node_type),
            self._services.redactor,
            self._services.executor,
        )
        self.post(Ended(node.path, attempt, outcome))

    def _stop_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for message in self._inbox:
            if isinstance(message, ProgressReport):
                message.recorded.cancel()
