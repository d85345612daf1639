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
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flowmaestro.events import (
    EventEncodeError,
    ExecutionCancelled,
    LoggedEvent,
    NodeExpanded,
    NodeLog,
    encode_event,
)
from flowmaestro.nodes import Expanded, NodeType
from flowmaestro.storage import EventLog, LogEnded, LogEntry, StorageClosed, StorageUnavailable
from flowmaestro.workflow import (
    Command,
    CompleteExecution,
    CompleteNode,
    ExecutionState,
    FailExecution,
    FailNode,
    NodeState,
    Recorder,
    ScopeNames,
    StartNode,
    after_failure,
    after_interruption,
    decide,
    idempotency_key,
    milliseconds_between,
    next_retry_at,
    progress,
)

from .execute_node import Completed, Failed, NodeRequest, Outcome, execute_inline, execute_node
from .options import EngineOptions
from .redaction import Redactor
from .reports import Ended, LogMessage, Message, NodeReporter, ProgressReport
from .slots import NodeSlots

logger = logging.getLogger(__name__)

MAX_STEP_EVENTS = 250
"""A step appends at this many events even if it could go on: readers shall see them come."""
FIRST_APPEND_RETRY_SECONDS = 0.1
LAST_APPEND_RETRY_SECONDS = 5.0


class ConflictingLog(Exception):
    """The log holds an event already that this run was about to append: it is not the only one."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"somebody else writes the log of {execution_id}")


@dataclass(frozen=True, slots=True)
class RunServices:
    """What the runs of one engine share."""

    log: EventLog
    node_types: Mapping[str, NodeType]
    options: EngineOptions
    redactor: Redactor
    slots: NodeSlots
    executor: Executor
    now: Callable[[], datetime]
    """The wall clock: aware, UTC."""


@dataclass(slots=True)
class _Step:
    """What one step came to: events to append, then nodes to start and reporters to answer."""

    now: datetime
    entries: list[LogEntry] = field(default_factory=list)
    starts: list[NodeState] = field(default_factory=list)
    reports: list[asyncio.Future[None]] = field(default_factory=list)


class ExecutionRun:
    """Runs one execution until its log has its terminal event.

    :param state: the state as its log gives it.
    :param created_at: when the execution was accepted.
    """

    def __init__(
        self,
        services: RunServices,
        recorder: Recorder,
        state: ExecutionState,
        created_at: datetime,
    ) -> None:
        self._services = services
        self._recorder = recorder
        self._state = state
        self._created_at = created_at
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
                await self._commit(self._interrupted())
            while not self._state.ended:
                step = self._step()
                await self._commit(step)
                if self._draining and not self._tasks and not self._inbox:
                    break
                if len(step.entries) < MAX_STEP_EVENTS:
                    await self._wait(step.now)
        except LogEnded:
            logger.info("the log of %s was ended by somebody else", self.execution_id)
            return True
        finally:
            self._services.slots.forget(self._wake)
            self._stop_tasks()
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

    # A step.

    def _step(self) -> _Step:
        self._woken = False
        step = _Step(self._services.now())
        while self._inbox:
            self._receive(self._inbox.popleft(), step)
        if self._cancel_reason is not None and not self._state.ended:
            self._record(step, self._cancelled(self._cancel_reason, step.now))
        self._enforce_timeouts(step)
        while not self._state.ended and len(step.entries) < MAX_STEP_EVENTS:
            free = 0 if self._draining else self._services.slots.free
            commands = decide(self._state, now=step.now, may_start=free)
            if not commands:
                break
            for command in commands:
                self._carry_out(command, step)
                if self._state.failure is not None or self._state.failed_containers:
                    break  # an inline node failed: what stands behind it may not start any more
        if not self._state.ended and self._services.slots.free == 0 and self._state.ready:
            self._services.slots.wake_when_free(self._wake)
        return step

    def _interrupted(self) -> _Step:
        step = _Step(self._services.now())
        for command in after_interruption(self._state):
            self._record(step, self._recorder.record(self._state, command, step.now))
        return step

    def _carry_out(self, command: Command, step: _Step) -> None:
        event = self._recorder.record(self._state, command, step.now)
        if isinstance(command, CompleteNode | CompleteExecution) and (fault := self._fault(event)):
            node_id = command.node_id if isinstance(command, CompleteNode) else None
            failure: Command = (
                FailNode(node_id, fault.error, fault.error_code)
                if node_id is not None
                else FailExecution(fault.error, fault.error_code, None)
            )
            event = self._recorder.record(self._state, failure, step.now)
        self._record(step, event)
        if isinstance(command, StartNode):
            self._start(self._state.find(command.node_id), step)

    def _start(self, node: NodeState, step: _Step) -> None:
        node_type = self._services.node_types.get(node.node.type)
        if node_type is None:
            message = f"this server has no node type {node.node.type!r}"
            self._finish(node, Failed(message, "unknown_node_type", retryable=False), step)
        elif node_type.inline:
            request = self._request(node, node_type)
            outcome = execute_inline(
                node_type, request, self._services.redactor, self._services.executor
            )
            self._finish(node, outcome, step)
        else:
            self._services.slots.take()
            step.starts.append(node)

    def _finish(self, node: NodeState, outcome: Outcome, step: _Step) -> None:
        """Record how an attempt ended."""
        event: LoggedEvent
        match outcome:
            case Completed(outputs, handle):
                event = self._recorder.node_completed(node, outputs, handle, step.now)
            case Expanded(scopes):
                event = NodeExpanded(
                    execution_id=self.execution_id,
                    timestamp=step.now,
                    node_id=node.path,
                    scopes=scopes,
                )
                outcome = self._unopenable(node) or outcome
            case Failed():
                pass
        if not isinstance(outcome, Failed):
            fault = self._fault(event)
            if fault is None:
                self._record(step, event)
                return
            outcome = fault
        command = after_failure(
            node, outcome.error, outcome.error_code, retryable=outcome.retryable
        )
        self._record(step, self._recorder.record(self._state, command, step.now))

    def _unopenable(self, node: NodeState) -> Failed | None:
        """Say why the scopes of a container cannot be opened, if so."""
        depth, scope = 1, node.scope
        while scope.parent is not None:
            depth, scope = depth + 1, scope.parent
        limit = self._services.options.max_depth
        if depth > limit:
            message = f"loops and called workflows hold each other more than {limit} deep"
            return Failed(message, "too_deep", retryable=False)
        called = node.node.workflow_id
        if node.node.body is None and called not in self._state.called:
            message = f"the workflow {called!r} did not exist when this execution was accepted"
            return Failed(message, "unknown_workflow", retryable=False)
        return None

    def _fault(self, event: LoggedEvent) -> Failed | None:
        """Say why the log would not take *event*, if so."""
        limit = self._services.options.max_outputs_bytes
        try:
            size = len(encode_event(event).encode())
        except EventEncodeError as error:
            message = f"the outputs cannot be stored as JSON: {error.path} {error.reason}"
            return Failed(message, "invalid_outputs", retryable=False)
        if size > limit:
            message = f"the outputs are {size:,} bytes of JSON, and {limit:,} are allowed"
            return Failed(message, "outputs_too_large", retryable=False)
        return None

    def _record(self, step: _Step, event: LoggedEvent) -> None:
        self._state.apply(event)
        step.entries.append(LogEntry(event, idempotency_key(event)))

    # Messages.

    def _receive(self, message: Message, step: _Step) -> None:
        node = self._state.running.get(message.node_id)
        current = node is not None and node.attempt == message.attempt and not self._state.ended
        match message:
            case Ended(outcome=outcome):
                if current and node is not None:
                    self._finish(node, outcome, step)
            case ProgressReport(percent=percent, recorded=recorded):
                if current and node is not None and percent != node.progress:
                    command = progress(self._state, node, percent)
                    self._record(step, self._recorder.record(self._state, command, step.now))
                step.reports.append(recorded)
            case LogMessage(level=level, message=text, taken=taken):
                taken()
                if current:
                    self._record(
                        step,
                        NodeLog(
                            execution_id=self.execution_id,
                            timestamp=step.now,
                            node_id=message.node_id,
                            level=level,
                            message=self._services.redactor.text(text),
                        ),
                    )

    def _cancelled(self, reason: str, now: datetime) -> ExecutionCancelled:
        return ExecutionCancelled(
            execution_id=self.execution_id,
            timestamp=now,
            reason=reason,
            cancelled_at=now,
            duration_ms=milliseconds_between(self._state.started_at or self._created_at, now),
        )

    # Timeouts.

    def _enforce_timeouts(self, step: _Step) -> None:
        deadline = self._execution_deadline()
        if deadline is not None and step.now >= deadline and not self._state.ended:
            message = f"the execution took longer than its {self._execution_timeout_ms} ms"
            command = FailExecution(message, "timeout", None)
            self._record(step, self._recorder.record(self._state, command, step.now))
            return
        for node in list(self._state.open_containers.values()):
            deadline = _container_deadline(node)
            if deadline is not None and step.now >= deadline and not self._state.ended:
                message = f"the node took longer than its {node.node.definition.timeout_ms} ms"
                if node.path in self._state.open_containers:
                    failed = FailNode(node.path, message, "timeout")
                    self._record(step, self._recorder.record(self._state, failed, step.now))

    @property
    def _execution_timeout_ms(self) -> int | None:
        own = self._state.graph.definition.settings.timeout_ms
        return own if own is not None else self._services.options.default_execution_timeout_ms

    def _execution_deadline(self) -> datetime | None:
        limit = self._execution_timeout_ms
        if limit is None or self._state.started_at is None:
            return None
        return self._state.started_at + timedelta(milliseconds=limit)

    def _next_deadline(self) -> datetime | None:
        deadlines = [next_retry_at(self._state) if not self._draining else None]
        deadlines.append(self._execution_deadline())
        deadlines.extend(_container_deadline(node) for node in self._state.open_containers.values())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # Waiting and waking.

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
        deadline = self._next_deadline()
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

    async def _commit(self, step: _Step) -> None:
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
                logger.warning("cannot append to the log of %s: %s", self.execution_id, error)
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
                self.post(Ended(path, attempt, Failed(f"internal error: {error}", "internal")))

        task.add_done_callback(done)

    async def _run_node(self, node: NodeState) -> None:
        node_type = self._services.node_types[node.node.type]
        attempt = node.attempt
        outcome = await execute_node(
            node_type,
            self._request(node, node_type),
            self._services.redactor,
            self._services.executor,
        )
        self.post(Ended(node.path, attempt, outcome))

    def _request(self, node: NodeState, node_type: NodeType) -> NodeRequest:
        timeout_ms = node.node.definition.timeout_ms
        if timeout_ms is None:
            timeout_ms = self._services.options.default_node_timeout_ms
        extra: dict[str, Any] = {}
        if node_type.spec.allows_secrets:
            extra["secrets"] = self._services.options.secrets
        return NodeRequest(
            execution_id=self.execution_id,
            node_id=node.path,
            node=node.node,
            attempt=node.attempt,
            names=ScopeNames(node.scope, extra),
            inputs=node.scope.inputs,
            reporter=NodeReporter(node.path, node.attempt, self.post),
            timeout_ms=timeout_ms,
        )

    def _stop_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for message in self._inbox:
            if isinstance(message, ProgressReport):
                message.recorded.cancel()


def _container_deadline(node: NodeState) -> datetime | None:
    timeout_ms = node.node.definition.timeout_ms
    if timeout_ms is None or node.started_at is None:
        return None
    return node.started_at + timedelta(milliseconds=timeout_ms)
