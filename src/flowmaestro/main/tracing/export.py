"""Spans to OpenTelemetry's, under the ids that are theirs, and on to a collector.

The one module that needs the extra ``otel``.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from flowmaestro.main.tracing.follower import Traced
from flowmaestro.main.tracing.spans import FinishedSpan
from flowmaestro.workflow.trace_context import RemoteParent, TraceContext

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_NANOSECONDS: Final = 1_000_000


class OpenTelemetry:
    """Makes OpenTelemetry's spans of ours. Used from one thread.

    Args:
        resource: what the spans are of.
        processor: takes each span when it is over.
        version: ours.
        redact: takes keys, tickets and secrets out of what people and nodes wrote.

    The sampler is the environment's (``OTEL_TRACES_SAMPLER``).
    """

    def __init__(
        self,
        resource: Resource,
        processor: SpanProcessor,
        version: str,
        redact: Callable[[str], str],
    ) -> None:
        self._redact = redact
        self._ids = _DerivedIds()
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("flowmaestro", version)

    def sample(self, context: TraceContext, parent: RemoteParent | None) -> bool:
        """Return whether the trace of an execution is recorded."""
        trace_id = int(context.trace_id, 16)
        result = self._provider.sampler.should_sample(_below(parent), trace_id, "execute")
        return result.decision is Decision.RECORD_AND_SAMPLE

    def emit(self, traced: Traced, span: FinishedSpan) -> None:
        """Hand on a span that is over."""
        context = traced.context
        self._ids.trace_id = int(context.trace_id, 16)
        self._ids.span_id = int(span.span_id, 16)
        attributes = {
            name: self._redact(value) if isinstance(value, str) else value
            for name, value in span.attributes.items()
        }
        if span.parent_span_id is None:
            kind, around = SpanKind.CONSUMER, _below(traced.parent)
        else:
            kind = SpanKind.INTERNAL
            around = _context(context.trace_id, span.parent_span_id, _SAMPLED, is_remote=False)
        made = self._tracer.start_span(
            self._redact(span.name),
            context=around,
            kind=kind,
            attributes=attributes,
            start_time=span.start_ms * _NANOSECONDS,
        )
        if span.error is not None:
            made.set_status(Status(StatusCode.ERROR, self._redact(span.error)))
        made.end(span.end_ms * _NANOSECONDS)


class SpanSender(SpanProcessor):
    """Sends spans in batches, from a thread of its own: whatever the collector does, nobody waits.

    The SDK's own processor does not say what it dropped, nor does it end in time.

    Args:
        exporter: sends a batch; it may block.
        max_queued: how many spans wait at most; over it new ones are dropped and counted.
        max_batch: the most that are sent at once; so many are sent without delay.
        delay_seconds: how long a span waits for others at most.
    """

    def __init__(
        self, exporter: SpanExporter, *, max_queued: int, max_batch: int, delay_seconds: float
    ) -> None:
        self._exporter = exporter
        self.max_queued = max_queued
        self._max_batch = min(max_batch, max_queued)
        self._delay_seconds = delay_seconds
        self._queue: deque[ReadableSpan] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self.exported = 0
        self.failed = 0
        """Spans that the collector did not take."""
        self.dropped = 0
        """Spans that found the queue full."""
        self._thread = threading.Thread(target=self._run, name="flowmaestro-traces", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        return len(self._queue)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing begins here."""

    def on_end(self, span: ReadableSpan) -> None:
        with self._changed:
            if self._closing or len(self._queue) >= self.max_queued:
                self.dropped += 1
                return
            self._queue.append(span)
            if len(self._queue) == 1 or len(self._queue) >= self._max_batch:
                self._changed.notify()

    def close(self, timeout_seconds: float) -> None:
        """Send what is queued, for at most so long; what is left then is dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_seconds)
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()
        if self._thread.is_alive():
            # It ends the waiting between two tries; a request that is under way ends by itself.
            self._exporter.shutdown()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                taken = self._exporter.export(batch) is SpanExportResult.SUCCESS
            except Exception:
                taken = False
            if taken:
                self.exported += len(batch)
            else:
                self.failed += len(batch)
        self._exporter.shutdown()

    def _next_batch(self) -> list[ReadableSpan]:
        """Wait for spans, and then a while for more; nothing: it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._changed.wait_for(
                lambda: self._closing or len(self._queue) >= self._max_batch, self._delay_seconds
            )
            count = min(self._max_batch, len(self._queue))
            return [self._queue.popleft() for _ in range(count)]


class _DerivedIds(IdGenerator):
    """Gives out the ids that were put in."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def _below(parent: RemoteParent | None) -> Context:
    if parent is None:
        return Context()
    flags = _SAMPLED if parent.sampled else TraceFlags()
    return _context(parent.trace_id, parent.span_id, flags, is_remote=True)


def _context(trace_id: str, span_id: str, flags: TraceFlags, *, is_remote: bool) -> Context:
    around = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, flags)
    return set_span_in_context(NonRecordingSpan(around), Context())
