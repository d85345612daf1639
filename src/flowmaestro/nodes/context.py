"""What a running node knows of itself and can say to those who watch it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowmaestro.events.models import LogLevel
from flowmaestro.nodes.errors import NodeError

if TYPE_CHECKING:
    from flowmaestro.workflow.trace_context import TraceContext

T = TypeVar("T")


class Reporter(Protocol):
    """Where a node's progress and messages go; the engine provides it."""

    async def progress(self, percent: float) -> None:
        """Record *percent* (0 to 100); return when it is durable."""

    def log(self, level: LogLevel, message: str) -> None:
        """Record a message of the node's. Called in the event loop's thread; never blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """Given to every node function that asks for it with a parameter of this type.

    Functions without ``async`` ask for a :class:`SyncNodeContext` instead.
    """

    execution_id: str
    node_id: str
    """The node's path: ``LOOP[INDEX].NODE`` inside a loop, ``NODE.CHILD`` in a called workflow."""
    node_name: str
    attempt: int
    """From 1. An attempt that a crash interrupted counts."""
    inputs: Mapping[str, Any]
    """The inputs of the node's own scope: the execution's, or the called workflow's."""
    reporter: Reporter
    evaluator: Callable[[str], Any]
    executor: Executor | None = None
    """Where functions without ``async`` run; ``None`` is the event loop's default threads."""
    trace: TraceContext | None = None
    """The execution's place in a trace; ``None``: the server sends no traces."""

    @property
    def traceparent(self) -> str | None:
        """The W3C Trace Context header of this attempt, for the services that it calls; ``None``
        when the server sends no traces."""
        trace = self.trace
        return None if trace is None else trace.attempt(self.node_id, self.attempt).traceparent

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this node of this execution, and for no other.

        A node runs at least once. Hand this key to the service that you call, and what it does
        happens exactly once.
        """
        return f"{self.execution_id}:{self.node_id}"

    async def progress(self, percent: float) -> None:
        """Tell readers how far the node is, 0 to 100 (values outside are clipped).

        Returns when the progress is durable, so a node that reports in a tight loop goes at the
        log's pace. Raises :class:`ValueError` if *percent* is not a number.
        """
        if math.isnan(percent):
            raise ValueError("progress must be a number from 0 to 100, not NaN")
        await self.reporter.progress(min(100.0, max(0.0, float(percent))))

    def log(self, message: str, level: LogLevel = "info") -> None:
        """Record *message* in the execution's log, as a ``node:log`` event. Returns at once."""
        self.reporter.log(level, str(message))

    def evaluate(self, expression: str) -> Any:
        """Return the value of *expression* (with or without ``{{ }}``) among the node's names.

        Raises ``flowmaestro.workflow.expressions.ExpressionError``.
        """
        return self.evaluator(expression)

    async def run_in_thread(self, function: Callable[[SyncNodeContext], T]) -> T:
        """Call *function* in a thread and return its result.

        Cancelling does not stop the thread, which nothing can: it marks the function's context as
        cancelled, so that the function ends at its next ``progress`` and nothing it still says is
        recorded.
        """
        loop = asyncio.get_running_loop()
        context = SyncNodeContext(self, loop)
        call = contextvars.copy_context().run
        try:
            return await loop.run_in_executor(self.executor, call, function, context)
        finally:
            context.close()


class NodeCancelled(NodeError):
    """Raised in a thread's function whose node was cancelled or has timed out."""

    def __init__(self) -> None:
        super().__init__("the node was cancelled", code="cancelled", retryable=False)


class SyncNodeContext:
    """A :class:`NodeContext` for functions without ``async``, which run in threads."""

    def __init__(self, context: NodeContext, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop
        self._closed = threading.Event()

    @property
    def execution_id(self) -> str:
        return self._context.execution_id

    @property
    def node_id(self) -> str:
        """The node's path: ``LOOP[INDEX].NODE`` inside a loop, ``NODE.CHILD`` in a workflow."""
        return self._context.node_id

    @property
    def node_name(self) -> str:
        return self._context.node_name

    @property
    def attempt(self) -> int:
        """From 1."""
        return self._context.attempt

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The inputs of the node's own scope."""
        return self._context.inputs

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt; see :attr:`NodeContext.idempotency_key`."""
        return self._context.idempotency_key

    @property
    def traceparent(self) -> str | None:
        """The header of this attempt's trace; see :attr:`NodeContext.traceparent`."""
        return self._context.traceparent

    @property
    def cancelled(self) -> bool:
        """Whether the node is no longer waited for: ask in long loops, and return."""
        return self._closed.is_set()

    def progress(self, percent: float) -> None:
        """Tell readers how far the node is, 0 to 100. Blocks until it is durable.

        Raises :class:`NodeCancelled` once the node is no longer waited for.
        """
        if self.cancelled:
            raise NodeCancelled
        report = self._report(percent)
        try:
            reported = asyncio.run_coroutine_threadsafe(report, self._loop)
        except RuntimeError as error:  # the loop has stopped under this thread
            report.close()
            raise NodeCancelled from error
        try:
            reported.result()
        except CancelledError as error:
            raise NodeCancelled from error

    def log(self, message: str, level: LogLevel = "info") -> None:
        """Record *message* in the execution's log. Returns at once; a no-op once cancelled."""
        if not self.cancelled:
            with contextlib.suppress(RuntimeError):  # the loop has stopped under this thread
                self._loop.call_soon_threadsafe(self._log, str(message), level)

    def close(self) -> None:
        """Say that nobody waits for the function any more."""
        self._closed.set()

    async def _report(self, percent: float) -> None:
        if self.cancelled:  # between the thread's look and the loop's turn
            raise NodeCancelled
        await self._context.progress(percent)

    def _log(self, message: str, level: LogLevel) -> None:
        self._context.log(message, level)
