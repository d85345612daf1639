"""Time limits: when what is under way must have ended, and what follows if it has not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from .commands import FailExecution, FailNode
from .container import Container
from .scope import NodeState
from .state import ExecutionState

TIMEOUT = "timeout"
"""The error code of what took too long."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time limit that is running."""

    at: datetime
    command: FailExecution | FailNode
    """What is to be done when it has passed."""


def deadlines(
    state: ExecutionState, *, default_timeout_ms: int | None = None
) -> Iterator[Deadline]:
    """Yield the limits of the execution, of open containers and of the scopes in them, outer ones
    first. Those of single attempts are not among them: whoever runs an attempt keeps it.

    :param default_timeout_ms: the limit of an execution whose definition has none.
    """
    if state.ended:
        return
    limit = state.graph.definition.settings.timeout_ms
    limit = default_timeout_ms if limit is None else limit
    if limit is not None and state.started_at is not None:
        message = f"the execution took longer than its {limit} ms"
        yield Deadline(_after(state.started_at, limit), FailExecution(message, TIMEOUT, None))
    for node in state.open_containers.values():
        yield from _container_deadlines(node)


def overdue(
    state: ExecutionState, *, now: datetime, default_timeout_ms: int | None = None
) -> FailExecution | FailNode | None:
    """Return the command for the first limit that has passed at *now*; ``None`` for none.

    Like what :func:`decide` returns it is recorded as one event, after which the next may be asked
    for; *default_timeout_ms* is that of :func:`deadlines`.
    """
    passed = (
        deadline.command
        for deadline in deadlines(state, default_timeout_ms=default_timeout_ms)
        if now >= deadline.at
    )
    return next(passed, None)


def _container_deadlines(node: NodeState) -> Iterator[Deadline]:
    limit = node.node.definition.timeout_ms
    if limit is not None and node.started_at is not None:
        message = f"the node took longer than its {limit} ms"
        yield Deadline(_after(node.started_at, limit), FailNode(node.path, message, TIMEOUT))
    container = cast(Container, node.container)
    limit = container.body.definition.settings.timeout_ms
    # All scopes have the same limit: the one that was opened first passes it first.
    oldest = next(iter(container.open_scopes.values()), None)
    if limit is None or oldest is None or oldest.opened_at is None:
        return
    if container.is_loop:
        message = f"{node.path}[{oldest.index}]: the iteration took longer than its {limit} ms"
    else:
        message = f"the workflow {node.node.workflow_id!r} took longer than its {limit} ms"
    yield Deadline(_after(oldest.opened_at, limit), FailNode(node.path, message, TIMEOUT))


def _after(start: datetime, milliseconds: int) -> datetime:
    return start + timedelta(milliseconds=milliseconds)
