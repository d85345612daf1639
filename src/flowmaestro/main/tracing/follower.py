"""Follows the log for the sake of traces: hears of commits, and folds them when there is time.

A commit's writer waits for nothing here but a place in a queue. What does not fit is dropped and
counted; an execution never fails of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, NamedTuple

from pydantic_core import from_json

from flowmaestro.events import TERMINAL_TYPES
from flowmaestro.main.tracing.spans import SPAN_TYPES, ExecutionSpans, FinishedSpan
from flowmaestro.storage import Execution, LogRecord, Storage, StorageError
from flowmaestro.workflow.trace_context import (
    RemoteParent,
    TraceContext,
    execution_context,
    parse_traceparent,
)

logger = logging.getLogger(__name__)

MAX_QUEUED_RECORDS: Final = 20_000
MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024
TURN_SECONDS: Final = 0.002
"""How long it folds before the event loop gets round to something else."""
PAGE_RECORDS: Final = 500
RESENT_MS: Final = 60_000
"""What had ended so shortly before a server went on with an execution is sent again: it may have
been in the memory of the one before. It is the same span, which backends take once."""

Emit = Callable[["Traced", FinishedSpan], None]
Sample = Callable[[TraceContext, RemoteParent | None], bool]


@dataclass(slots=True)
class Traced:
    """An execution that is part of a trace."""

    context: TraceContext
    parent: RemoteParent | None
    spans: ExecutionSpans
    missed: bool
    """Whether its log holds events from before this server."""


class _Commit(NamedTuple):
    execution_id: str
    first: int
    """The number of its first record, of whatever type."""
    records: list[LogRecord]
    size: int


class Follower:
    """Makes spans of what is committed. It belongs to the event loop.

    Args:
        storage: whose log is followed.
        emit: takes a span that is over; must not block.
        sample: whether an execution's trace is recorded.
    """

    def __init__(self, storage: Storage, emit: Emit, sample: Sample) -> None:
        self._storage = storage
        self._emit = emit
        self._sample = sample
        self._queue: deque[_Commit] = deque()
        self._queued_records = 0
        self._queued_bytes = 0
        self._executions: dict[str, Traced] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stop_listening = storage.log.on_commit(self._on_commit)
        self.dropped = 0
        """Events that were not folded, because too many waited."""

    @property
    def queued(self) -> int:
        """How many events wait to be folded."""
        return self._queued_records

    def root_of(self, execution: Execution) -> TraceContext:
        """Take up an execution that is about to run, and return its root."""
        return self._take_up(execution, missed=execution.status != "pending").context

    async def run(self) -> None:
        """Fold what is queued until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            turn_began = perf_counter()
            while self._queue:
                commit = self._queue.popleft()
                self._queued_records -= len(commit.records)
                self._queued_bytes -= commit.size
                try:
                    await self._take(commit)
                except StorageError as error:
                    logger.warning("a trace lacks spans: its log could not be read: %s", error)
                except Exception:
                    logger.exception("a trace lacks spans")
                if perf_counter() - turn_began > TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn_began = perf_counter()
            self._idle.set()

    async def wait_idle(self) -> None:
        """Return when nothing is queued."""
        await self._idle.wait()

    def close(self) -> None:
        """Listen no more. Repeating it does nothing."""
        self._stop_listening()

    def _on_commit(self, execution_id: str, records: list[LogRecord]) -> None:
        wanted = [record for record in records if record.type in SPAN_TYPES]
        if not wanted:
            return
        size = sum(len(record.data) for record in wanted)
        full = self._queued_records >= MAX_QUEUED_RECORDS or self._queued_bytes >= MAX_QUEUED_BYTES
        if full:
            self.dropped += len(wanted)
            if wanted[-1].type in TERMINAL_TYPES:
                self._executions.pop(execution_id, None)
            return
        self._queue.append(_Commit(execution_id, records[0].number, wanted, size))
        self._queued_records += len(wanted)
        self._queued_bytes += size
        self._idle.clear()
        self._wake.set()

    def _take_up(self, execution: Execution, *, missed: bool) -> Traced:
        parent = parse_traceparent(execution.traceparent)
        context = execution_context(execution.id, parent)
        if not self._sample(context, parent):
            context = execution_context(execution.id, parent, sampled=False)
        traced = Traced(context, parent, ExecutionSpans(execution, context), missed)
        self._executions[execution.id] = traced
        return traced

    async def _take(self, commit: _Commit) -> None:
        execution_id = commit.execution_id
        traced = self._executions.get(execution_id)
        if traced is None:  # it was ended without having been run
            execution = await self._storage.executions.get(execution_id)
            traced = self._take_up(execution, missed=True)
        try:
            if not traced.context.sampled:
                return
            if traced.missed:
                traced.missed = False
                await self._catch_up(traced, before=commit.first)
            for record in commit.records:
                for span in traced.spans.apply(record.type, from_json(record.data)):
                    self._emit(traced, span)
        finally:
            if commit.records[-1].type in TERMINAL_TYPES:
                self._executions.pop(execution_id, None)

    async def _catch_up(self, traced: Traced, *, before: int) -> None:
        """Fold the log up to the event number *before*, which is not read, and send again what may
        have been lost with an earlier server."""
        recent: deque[FinishedSpan] = deque()
        after, newest_ms = 0, 0
        while after < before - 1:
            limit = min(PAGE_RECORDS, before - 1 - after)
            execution_id = traced.context.execution_id
            records = await self._storage.log.read(execution_id, after=after, limit=limit)
            if not records:
                break
            after = records[-1].number
            for record in records:
                if record.type not in SPAN_TYPES:
                    continue
                for span in traced.spans.apply(record.type, from_json(record.data)):
                    recent.append(span)
                    newest_ms = max(newest_ms, span.end_ms)
            while recent and recent[0].end_ms < newest_ms - RESENT_MS:
                recent.popleft()
        for span in recent:
            self._emit(traced, span)
