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
    EventEncodeError,
    ExecutionCancelled,
    LoggedEvent,
    NodeExpanded,
    NodeLog,
    encode_event,
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

from .execute_node import Completed, Failed, NodeRequest, Outcome, execute_inline
from .options import EngineOptions
from .redaction import Redactor
from .reports import Ended, LogMessage, Message, NodeReporter, ProgressReport
from .slots import NodeSlots
from .statistics import OBSERVED, EngineStatistics

MAX_STEP_EVENTS = 250
"""A step appends at this many events even if it could go on: readers shall see them come."""


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
    now: Callable[[], datetime]
    """The wall clock: aware, UTC."""


@dataclass(slots=True)
class Step:
    """What one step came to: events to append, then nodes to start and reporters to answer."""

    now: datetime
    entries: list[LogEntry] = field(default_factory=list)
    starts: list[NodeState] = field(default_factory=list)
    """Each holds one of the engine's node slots."""
    reports: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether there may be more to do at once, in another step."""
        return len(self.entries) >= MAX_STEP_EVENTS


class Stepper:
    """Works out the steps of one execution.

    :param state: the state as the execution's log gives it.
    :param created_at: when the execution was accepted.
    :param post: puts a message of a node into the inbox.
    :param trace: the execution's place in a trace.
    """

    def __init__(
        self,
        services: RunServices,
        recorder: Recorder,
        state: ExecutionState,
        created_at: datetime,
        post: Callable[[Message], None],
        trace: TraceContext | None = None,
    ) -> None:
        self._services = services
        self._recorder = recorder
        self._state = state
        self._created_at = created_at
        self._post = post
        self._trace = trace

    @property
    def execution_id(self) -> str:
        return self._recorder.execution_id

    def interrupted(self) -> Step:
        """Return what becomes of the nodes that were running when the last server stopped."""
        step = Step(self._services.now())
        for command in after_interruption(self._state):
            self._record(step, self._recorder.record(self._state, command, step.now))
        return step

    def take(
        self, inbox: deque[Message], *, cancel_reason: str | None, may_start_nodes: bool
    ) -> Step:
        """Empty the *inbox*, and decide until nothing is left but to wait or the step is full."""
        step = Step(self._services.now())
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
                if self._state.failure is not None or self._state.failed_containers:
                    break  # an inline node failed: what stands behind it may not start any more
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
            reporter=NodeReporter(node.path, node.attempt, self._post, self._services.statistics),
            timeout_ms=timeout_ms,
            trace=self._trace,
        )

    # Commands.

    def _carry_out(self, command: Command, step: Step) -> None:
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

    def _record(self, step: Step, event: LoggedEvent) -> None:
        if type(event) in OBSERVED:
            self._services.statistics.record(self._state, event)
        self._state.apply(event)
        step.entries.append(LogEntry(event, idempotency_key(event)))

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
