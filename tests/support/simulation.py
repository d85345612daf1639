"""Drives the scheduler without an engine: outcomes are drawn, time is a number, nothing is I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flowmaestro.events import LoggedEvent, NodeExpanded, content_bytes, encode_event
from flowmaestro.workflow import (
    Command,
    ExecutionState,
    FailNode,
    Graph,
    NodeState,
    Recorder,
    RetryNode,
    StartNode,
    after_failure,
    deadlines,
    decide,
    next_retry_at,
    overdue,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Completes:
    outputs: dict[str, Any] = field(default_factory=dict)
    handle: str | None = None


@dataclass(frozen=True)
class Expands:
    scopes: list[dict[str, Any]]


@dataclass(frozen=True)
class Fails:
    error: str = "it broke"
    error_code: str = "node_error"
    retryable: bool = True


Outcome = Completes | Expands | Fails
Behaviour = Callable[[NodeState], Outcome]
Choice = Callable[[int], int]
"""Given how many nodes run, which of them ends next."""


class Simulation:
    """Runs an execution to its end and keeps its log.

    :param behaviour: how each attempt of a node ends.
    :param choose: which of the running nodes ends next; the oldest, if not given.
    :param max_results_bytes: the largest outputs of a loop.
    """

    def __init__(
        self,
        graph: Graph,
        behaviour: Behaviour,
        *,
        inputs: dict[str, Any] | None = None,
        called: dict[str, Graph] | None = None,
        choose: Choice = lambda running: 0,
        max_running: int | None = None,
        max_results_bytes: int | None = None,
    ) -> None:
        self.graph = graph
        self.inputs = inputs or {}
        self.called = called or {}
        self.behaviour = behaviour
        self.choose = choose
        self.max_running = max_running
        self.max_results_bytes = max_results_bytes
        self.now = START
        self.log: list[LoggedEvent] = []
        self.decisions: list[tuple[int, datetime, Sequence[Command]]] = []
        """What was decided: after how many events, when, and what."""
        self.most_running = 0
        self.state = self.fresh_state()
        self.recorder = Recorder("exec_1", "wf_1", "A workflow")

    def fresh_state(self) -> ExecutionState:
        return ExecutionState(
            self.graph, self.inputs, self.called, max_results_bytes=self.max_results_bytes
        )

    def fold(self, events: Iterable[LoggedEvent]) -> ExecutionState:
        """Return the state that a log of *events* gives."""
        state = self.fresh_state()
        for event in events:
            apply_sized(state, event)
        return state

    def commands(self, state: ExecutionState, now: datetime) -> Sequence[Command]:
        """What is to be done at *now*: time limits come first."""
        late = overdue(state, now=now)
        if late is not None:
            return (late,)
        return decide(state, now=now, may_start=self.may_start(state))

    def may_start(self, state: ExecutionState) -> int | None:
        return None if self.max_running is None else self.max_running - len(state.running)

    def run(self) -> Simulation:
        while not self.state.ended:
            self._decide_to_the_end()
            if self.state.ended:
                break
            running = list(self.state.running.values())
            if running:
                self._finish(running[self.choose(len(running))])
            else:
                due = [deadline.at for deadline in deadlines(self.state)]
                retry_at = next_retry_at(self.state, after=self.now)
                due += [retry_at] if retry_at is not None else []
                assert due, "nothing runs, nothing waits and there is no end"
                self.now = max(self.now, min(due))
        return self

    def types(self) -> list[str]:
        return [event.type for event in self.log]

    def ids(self, event_type: str) -> list[str]:
        return [event.node_id for event in self.log if event.type == event_type]  # type: ignore[union-attr]

    def _decide_to_the_end(self) -> None:
        while commands := self.commands(self.state, self.now):
            self.decisions.append((len(self.log), self.now, commands))
            for command in commands:
                self._record(command)
            self.most_running = max(self.most_running, len(self.state.running))

    def _record(self, command: Command) -> None:
        self._apply(self.recorder.record(self.state, command, self.now))

    def _apply(self, event: LoggedEvent) -> None:
        apply_sized(self.state, event)
        self.log.append(event)
        self.now += timedelta(milliseconds=1)

    def _finish(self, node: NodeState) -> None:
        match self.behaviour(node):
            case Completes(outputs, handle):
                self._apply(self.recorder.node_completed(node, outputs, handle, self.now))
            case Expands(scopes):
                self._apply(
                    NodeExpanded(
                        execution_id="exec_1",
                        timestamp=self.now,
                        node_id=node.path,
                        scopes=scopes,
                    )
                )
            case Fails(error, error_code, retryable):
                self._record(after_failure(node, error, error_code, retryable=retryable))


def apply_sized(state: ExecutionState, event: LoggedEvent) -> None:
    """Apply *event* with the size that its JSON has."""
    state.apply(event, content_bytes(event, encode_event(event)))


def started(commands: Sequence[Command]) -> list[str]:
    """The nodes that *commands* start."""
    return [command.node_id for command in commands if isinstance(command, StartNode)]


__all__ = [
    "START",
    "Completes",
    "Expands",
    "FailNode",
    "Fails",
    "RetryNode",
    "Simulation",
    "started",
]
