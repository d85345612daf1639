"""Traces: one for each execution, with a span for each attempt at a node, made from its log.

    spans.py      events in, spans out: a fold, pure
    follower.py   hears of commits, folds them apart from who writes them, and reads what it missed
    export.py     spans to OpenTelemetry's, in derived ids, and on to a collector; needs the extra
    setup.py      the ``OTEL_…`` variables in, all of it put together

Why so and not in the engine: ``docs/decisions/0013-traces-from-the-log.md``.
"""

from flowmaestro.main.tracing.setup import Tracing, open_tracing

__all__ = ["Tracing", "open_tracing"]
