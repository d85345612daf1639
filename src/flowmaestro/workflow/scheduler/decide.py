"""The scheduler: what can be done next, read off the state and nothing else.

:func:`decide` is pure. Each command it returns is recorded as one event (see ``record``); once that
event is applied the same command is not returned again, so whoever drives an execution applies and
asks again until nothing is left to do but wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import cast

from .commands import (
    Command,
    CompleteExecution,
    CompleteNode,
    FailExecution,
    FailNode,
    ReportProgress,
    RetryNode,
    SkipNode,
    StartExecution,
    StartNode,
)
from .container import Container
from .memory import fail_oversized
from .retry import delay_ms
from .scope import NodeState, Scope
from .state import ExecutionState

MAX_INTERRUPTIONS = 10
"""How often a node may be cut off by the end of its server before it is held to be the cause."""


def decide(
    state: ExecutionState, *, now: datetime, may_start: int | None = None
) -> Sequence[Command]:
    """Return the commands that can be carried out now, in order; empty when there is only waiting.

    :param now: the time, for retries whose delay is over.
    :param may_start: how many nodes may be started at most; ``None`` for no limit but the
        definition's own.
    """
    if state.ended:
        return ()
    if state.status == "pending":
        return (StartExecution(),)
    if state.failure is not None:
        failure = state.failure
        return (FailExecution(failure.error, failure.error_code, failure.node_id),)
    if state.failed_containers:
        # One at a time, like all commands whose event can end what other commands are about.
        path, failed = next(iter(state.failed_containers.items()))
        return (FailNode(path, f"{failed.node_id}: {failed.error}", failed.error_code),)
    if state.oversized_loops:
        return (fail_oversized(state),)
    if state.unreached:
        return [SkipNode(path) for path in state.unreached]
    if state.finished_containers:
        path, node = next(iter(state.finished_containers.items()))
        return (CompleteNode(path, cast(Container, node.container).outputs),)
    if state.settled_nodes != state.reported_settled_nodes:
        return (progress(state),)
    if state.root.unsettled == 0:
        return (CompleteExecution(state.outputs),)
    return list(_starts(state, now, may_start))


def progress(
    state: ExecutionState, reporter: NodeState | None = None, percent: float = 0
) -> ReportProgress:
    """Return how far the execution is: settled nodes, and what running ones said of themselves.

    It never falls, although loops make the total grow.

    :param reporter: a running node that says now that it is at *percent*.
    """
    partial = sum(node.progress for node in state.running.values() if node is not reporter)
    done = state.settled_nodes + (partial + percent) / 100
    overall = int(1000 * done / state.total_nodes) / 10 if state.total_nodes else 100.0
    return ReportProgress(
        min(100.0, max(state.progress, overall)),
        state.settled_nodes,
        state.total_nodes,
        reporter.path if reporter is not None else None,
        percent if reporter is not None else None,
    )


def next_retry_at(state: ExecutionState, *, after: datetime) -> datetime | None:
    """Return when the next retry becomes due that is not due at *after*; ``None`` if none will."""
    return min(
        (
            node.retry_at
            for node in state.retrying.values()
            if node.retry_at is not None and node.retry_at > after
        ),
        default=None,
    )


def after_failure(
    node: NodeState, error: str, error_code: str, *, retryable: bool
) -> RetryNode | FailNode:
    """Return what follows from a failed attempt of a node that is running: another one, or the end.

    :param retryable: whether the cause may go away; ``False`` ends the node at once.
    """
    policy = node.node.definition.retry
    failures = node.failures + 1
    if retryable and policy is not None and failures < policy.max_attempts:
        wait_ms = delay_ms(policy, failures)
        return RetryNode(node.path, node.attempt + 1, wait_ms, error, error_code)
    return FailNode(node.path, error, error_code)


def after_interruption(
    state: ExecutionState, *, harmless: Collection[str] = ()
) -> list[RetryNode | FailNode]:
    """Return what becomes of the nodes that were running when their server stopped.

    They are started again with the next attempt number, whatever their retry policy says: no
    attempt of theirs failed. One that was cut off :data:`MAX_INTERRUPTIONS` times is held to be
    what stops the server, and fails.

    :param harmless: the node types that cannot be.
    """
    return [
        RetryNode(
            node.path,
            node.attempt + 1,
            0,
            "the server stopped while the node was running",
            "interrupted",
            interrupted=True,
        )
        if node.interruptions < MAX_INTERRUPTIONS or node.node.type in harmless
        else FailNode(
            node.path,
            f"the server stopped {node.interruptions + 1} times while the node was running",
            "interrupted",
        )
        for node in state.running.values()
    ]


def _starts(state: ExecutionState, now: datetime, may_start: int | None) -> Iterator[StartNode]:
    chosen: Counter[Scope] = Counter()
    count = 0
    for node in _startable(state, now):
        if may_start is not None and count >= may_start:
            return
        if _is_full(state.root, chosen):
            return
        levels = list(_levels(node.scope))
        if any(_is_full(level, chosen) for level in levels):
            continue
        chosen.update(levels)
        count += 1
        yield StartNode(node.path, node.attempt + 1)


def _startable(state: ExecutionState, now: datetime) -> Iterator[NodeState]:
    for node in state.retrying.values():
        if node.retry_at is None or node.retry_at <= now:
            yield node
    yield from state.ready.values()


def _levels(scope: Scope) -> Iterator[Scope]:
    level: Scope | None = scope
    while level is not None:
        yield level
        level = level.parent


def _is_full(scope: Scope, chosen: Counter[Scope]) -> bool:
    limit = scope.graph.max_concurrent_nodes
    return limit is not None and scope.running + chosen[scope] >= limit
