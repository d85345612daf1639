"""A step of an execution: what its inbox and the scheduler come to, worked out at once.

Nothing here waits or does I/O. A step changes the state, ahead of the log; what it returns must be
appended before anything else happens.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowmaestro.events import (
    ExecutionCancelled,
    LoggedEvent,
    NodeExpanded,
    NodeLog,
)
from flowmaestro.nodes import Expanded, NodeType
from flowmaestro.storage import EventLog, LogEntry
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
    deadlines,
    decide,
    idempotency_key,
    milliseconds_between,
    next_retry_at,
    overdue,
    progress,
)
from flowmaestro.workflow.trace_context import TraceContext

from .bounds import Bounds, Taken
from .clock import ExecutionClock
from .execute_node import Completed, Failed, NodeRequest, Outcome, execute_inline
from .options import EngineOptions
from .redaction import Redactor
from .reports import Ended, LogMessage, Message, NodeReporter, ProgressReport
from .slots import NodeSlots
from .statistics import OBSERVED, EngineStatistics

MAX_STEP_EVENTS = 250
"""A step appends at this many events even if it could go on: readers shall see them come."""
MAX_STEP_BYTES = 4 * 1024 * 1024
"""So it does at this many bytes of outputs and scopes, which it holds until they are durable."""


@dataclass(frozen=True, slots=True)
class RunServices:
    """What the runs of one engine share."""

    log: EventLog
    node_types: Mapping[str, NodeType]
    options: EngineOptions
    redactor: Redactor
    slots: NodeSlots
    executor: Executor
    statistics: EngineStatistics


@dataclass(slots=True)
class Step:
    """What one step came to: events to append, then nodes to start and reporters to answer."""

    now: datetime
    entries: list[LogEntry] = field(default_factory=list)
    starts: list[NodeState] = field(default_factory=list)
    """Each holds one of the engine's node slots."""
    reports: list[asyncio.Future[None]] = field(default_factory=list)
    content_bytes: int = 0
    """Of the outputs and scopes in the entries."""

    @property
    def is_full(self) -> bool:
        """Whether there may be more to do at once, in another step."""
        return len(self.entries) >= MAX_STEP_EVENTS or self.content_bytes >= MAX_STEP_BYTES


class Stepper:
    """Works out the steps of one execution.

    :param state: the state as the execution's log gives it.
    :param created_at: when the execution was accepted.
    :param clock: the execution's.
    :param post: puts a message of a node into the inbox.
    :param trace: the execution's place in a trace.
    """

    def __init__(
        self,
        services: RunServices,
        recorder: Recorder,
        state: ExecutionState,
        created_at: datetime,
        clock: ExecutionClock,
        post: Callable[[Message], None],
        trace: TraceContext | None = None,
    ) -> None:
        self._services = services
        self._recorder = recorder
        self._state = state
        self._bounds = Bounds(services.options, state)
        self._created_at = created_at
        self._clock = clock
        self._post = post
        self._trace = trace

    @property
    def execution_id(self) -> str:
        return self._recorder.execution_id

    def interrupted(self) -> Step:
        """Return what becomes of the nodes that were running when the last server stopped."""
        step = Step(self._clock())
        harmless = {name for name, type_ in self._services.node_types.items() if type_.only_waits}
        for command in after_interruption(self._state, harmless=harmless):
            self._record(step, self._recorder.record(self._state, command, step.now))
        return step

    def take(
        self, inbox: deque[Message], *, cancel_reason: str | None, may_start_nodes: bool
    ) -> Step:
        """Empty the *inbox*, and decide until nothing is left but to wait or the step is full."""
        step = Step(self._clock())
        while inbox:
            self._receive(inbox.popleft(), step)
        if cancel_reason is not None and not self._state.ended:
            self._record(step, self._cancelled(cancel_reason, step.now))
        timeout_ms = self._services.options.default_execution_timeout_ms
        while late := overdue(self._state, now=step.now, default_timeout_ms=timeout_ms):
            self._record(step, self._recorder.record(self._state, late, step.now))
        while not self._state.ended and not step.is_full:
            free = self._services.slots.free if may_start_nodes else 0
            commands = decide(self._state, now=step.now, may_start=free)
            if not commands:
                break
            for command in commands:
                self._carry_out(command, step)
                state = self._state
                if state.failure is not None or state.failed_containers or state.oversized_loops:
                    break  # by an inline node: what stands behind it may not start any more
                if step.content_bytes >= MAX_STEP_BYTES:
                    break
        return step

    def next_deadline(self, now: datetime, *, may_start_nodes: bool) -> datetime | None:
        """Return when there is something to do even if no message comes."""
        timeout_ms = self._services.options.default_execution_timeout_ms
        limits = deadlines(self._state, default_timeout_ms=timeout_ms)
        first = min((deadline.at for deadline in limits), default=None)
        retry_at = next_retry_at(self._state, after=now) if may_start_nodes else None
        return min((at for at in (first, retry_at) if at is not None), default=None)

    def request(self, node: NodeState, node_type: NodeType) -> NodeRequest:
        """Return what an attempt at *node* needs, with its names as they are now."""
        timeout_ms = node.node.definition.timeout_ms
        if timeout_ms is None and not node_type.only_waits:
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
            reporter=NodeReporter(
                node.path,
                node.attempt,
                self._post,
                self._services.statistics,
                self._services.redactor,
            ),
            timeout_ms=timeout_ms,
            elapsed_ms=milliseconds_between(node.resumed_from, node.started_at or self._clock()),
            trace=self._trace,
        )

    # Commands.

    def _carry_out(self, command: Command, step: Step) -> None:
        event = self._recorder.record(self._state, command, step.now)
        taken: Taken | Failed | None = None
        match command:
            case StartNode(node_id):
                self._record(step, event)
                self._start(self._state.running[node_id], step)
                return
            case CompleteNode(node_id):
                taken = self._bounds.take(event, self._state.find(node_id))
                if isinstance(taken, Failed):
                    command = FailNode(node_id, taken.error, taken.error_code)
            case CompleteExecution():
                taken = self._bounds.take(event)
                if isinstance(taken, Failed):
                    command = FailExecution(taken.error, taken.error_code, None)
        if isinstance(taken, Failed):
            event, taken = self._recorder.record(self._state, command, step.now), None
        self._record(step, event, taken)

    def _start(self, node: NodeState, step: Step) -> None:
        node_type = self._services.node_types.get(node.node.type)
        if node_type is None:
            message = f"this server has no node type {node.node.type!r}"
            self._finish(node, Failed(message, "unknown_node_type", retryable=False), step)
        elif node_type.inline:
            request = self.request(node, node_type)
            outcome = execute_inline(
                node_type, request, self._services.redactor, self._services.executor
            )
            self._finish(node, outcome, step)
        else:
            self._services.slots.take()
            step.starts.append(node)

    def _finish(self, node: NodeState, outcome: Outcome, step: Step) -> None:
        """Record how an attempt ended."""
        event: LoggedEvent
        match outcome:
            case Completed(outputs, handle):
                event = self._recorder.node_completed(node, outputs, handle, step.now)
                taken = self._bounds.take(event, node)
            case Expanded(scopes):
                event = NodeExpanded(
                    execution_id=self.execution_id,
                    timestamp=step.now,
                    node_id=node.path,
                    scopes=scopes,
                )
                taken = self._bounds.unopenable(node, len(scopes)) or self._bounds.take(event, node)
            case Failed():
                taken = outcome
        if isinstance(taken, Failed):
            event = self._recorder.record(
                self._state,
                after_failure(node, taken.error, taken.error_code, retryable=taken.retryable),
                step.now,
            )
            self._record(step, event)
        else:
            self._record(step, event, taken)

    def _record(self, step: Step, event: LoggedEvent, taken: Taken | None = None) -> None:
        """Apply *event*, and have it appended; one with outputs or scopes is *taken* before."""
        if type(event) in OBSERVED:
            self._services.statistics.record(self._state, event)
        data, size = taken if taken is not None else (None, 0)
        self._state.apply(event, size)
        step.content_bytes += size
        step.entries.append(LogEntry(event, idempotency_key(event), data))

    # Messages.

    def _receive(self, message: Message, step: Step) -> None:
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
                            message=text,
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
