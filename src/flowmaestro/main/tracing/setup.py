"""Tracing as the environment asks for it, by the variables that OpenTelemetry defines.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client.metrics_core import Metric

import flowmaestro
from flowmaestro.api.metrics import counter
from flowmaestro.main.tracing.follower import MAX_QUEUED_RECORDS, Follower
from flowmaestro.storage import Execution, Storage
from flowmaestro.workflow.trace_context import TraceContext

if TYPE_CHECKING:
    from flowmaestro.main.tracing.export import SpanSender

logger = logging.getLogger("flowmaestro.traces")

CLOSE_SECONDS: Final = 1.0
"""How long the end of the server waits for the last spans to be sent."""
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"


class Tracing:
    """Tracing while it is on."""

    def __init__(self, follower: Follower, sender: SpanSender) -> None:
        self._follower = follower
        self._sender = sender
        self._task = asyncio.create_task(follower.run(), name="traces")

    def root_of(self, execution: Execution) -> TraceContext | None:
        """Return the root of an execution that is about to run; never raises."""
        try:
            return self._follower.root_of(execution)
        except Exception:
            logger.exception("an execution has no trace", extra={"execution_id": execution.id})
            return None

    async def aclose(self) -> None:
        """Send what there is, within :data:`CLOSE_SECONDS`. Repeating it does nothing."""
        if self._task.done():
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CLOSE_SECONDS
        self._follower.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._follower.wait_idle()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await asyncio.to_thread(self._sender.close, max(0.0, deadline - loop.time()))

    def metrics(self) -> Iterator[Metric]:
        """Yield what became of the spans."""
        follower, sender = self._follower, self._sender
        dropped = sender.dropped + follower.dropped
        yield _spans(sender.exported, sender.failed, dropped)

    def queues(self) -> dict[str, tuple[int, int | None]]:
        """Return how much waits to be folded and to be sent, and what may."""
        return {
            "trace_events": (self._follower.queued, MAX_QUEUED_RECORDS),
            "trace_spans": (self._sender.queued, self._sender.max_queued),
        }


def no_metrics() -> Iterator[Metric]:
    """Yield what is said where tracing is off."""
    yield _spans(0, 0, 0)


def _spans(exported: int, failed: int, dropped: int) -> Metric:
    return counter(
        "trace_spans",
        "Spans of traces, by what became of them.",
        {("exported",): exported, ("failed",): failed, ("dropped",): dropped},
        ("outcome",),
    )


def open_tracing(
    storage: Storage, environment: Mapping[str, str], redact: Callable[[str], str]
) -> Tracing | None:
    """Begin to trace if *environment* asks for it; ``None`` if it does not, or if it asks for what
    cannot be had: a warning then says so, and the server does without. *redact* takes secrets out
    of a text."""
    if not _asked_for(environment):
        return None
    problem = _unsupported(environment)
    if problem is not None:
        logger.warning("no traces are sent: %s", problem)
        return None
    try:
        return _start(storage, environment, redact)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "flowmaestro":
            raise
        logger.warning(
            "no traces are sent: OTEL_… variables ask for them, but they need "
            '`pip install "flowmaestro[otel]"` (%s is missing)',
            error.name,
        )
    except Exception as error:  # whatever the SDK makes of a certificate or a header
        logger.warning("no traces are sent: %s", error)
    return None


def _asked_for(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(environment.get(name) for name in _ENDPOINTS)


def _unsupported(environment: Mapping[str, str]) -> str | None:
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter != "otlp":
        return f"OTEL_TRACES_EXPORTER is {exporter!r}, and only 'otlp' and 'none' are supported"
    for name in _PROTOCOLS:
        protocol = environment.get(name)
        if protocol:
            if protocol == _PROTOCOL:
                return None
            return f"{name} is {protocol!r}, and only {_PROTOCOL!r} is supported"
    return None


def _start(
    storage: Storage, environment: Mapping[str, str], redact: Callable[[str], str]
) -> Tracing:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource

    from flowmaestro.main.tracing.export import OpenTelemetry, SpanSender

    version = flowmaestro.__version__
    resource = Resource.create({"service.version": version})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "flowmaestro"}))
    sender = SpanSender(
        OTLPSpanExporter(),
        max_queued=_number(environment, "OTEL_BSP_MAX_QUEUE_SIZE", 2048),
        max_batch=_number(environment, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
        delay_seconds=_number(environment, "OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
    )
    telemetry = OpenTelemetry(resource, sender, version, redact)
    logger.info("traces are sent")
    return Tracing(Follower(storage, telemetry.emit, telemetry.sample), sender)


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{name} is {text!r}, and must be a whole number above 0")
    return int(text)
