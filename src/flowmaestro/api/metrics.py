"""Prometheus metrics, in a registry that belongs to one application.

Every label's values are bounded: a route's template (never the path that came), a method of HTTP,
a status code, an event type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from flowmaestro.events import EVENT_TYPES
from flowmaestro.storage import LogRecord

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_EVENT_TYPES = frozenset(EVENT_TYPES)
_DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STREAM_ROUTE_SUFFIX = "/events"


class Sample(NamedTuple):
    """What something says of itself when the metrics are asked for."""

    name: str
    description: str
    value: float
    only_grows: bool = False
    """Whether it is a counter rather than a gauge."""


class RequestMetrics:
    """Counts and times HTTP requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "flowmaestro_http_requests",
            "HTTP requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._durations = Histogram(
            "flowmaestro_http_request_duration_seconds",
            "Time from a request's head to the end of its answer; streams are left out.",
            ("method", "route"),
            buckets=_DURATION_BUCKETS_SECONDS,
            registry=registry,
        )

    def observe(self, method: str, route: str, status: int, elapsed_seconds: float) -> None:
        """Record one answered request; *route* is the template of its path."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith(_STREAM_ROUTE_SUFFIX):
            self._durations.labels(method, route).observe(elapsed_seconds)


class LogMetrics:
    """Counts appended events; :meth:`on_commit` is a listener of the log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "flowmaestro_events_appended",
            "Events made durable in execution logs.",
            ("type",),
            registry=registry,
        )
        self._commits = Counter(
            "flowmaestro_log_appends", "Appends to execution logs.", registry=registry
        )

    def on_commit(self, execution_id: str, records: list[LogRecord]) -> None:  # noqa: ARG002
        self._commits.inc()
        for record in records:
            kind = record.type if record.type in _EVENT_TYPES else "other"
            self._events.labels(kind).inc()


class Metrics:
    """The metrics of one application, rendered by :meth:`render`."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = RequestMetrics(self._registry)
        self.log = LogMetrics(self._registry)

    def add_source(self, read: Callable[[], Iterable[Sample]]) -> None:
        """Add what *read* returns whenever the metrics are asked for."""
        self._registry.register(_Source(read))

    def render(self) -> bytes:
        """Return every metric in Prometheus's text format."""
        return generate_latest(self._registry)


class _Source(Collector):
    def __init__(self, read: Callable[[], Iterable[Sample]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return ()  # or the registry would read it while the server is being put together

    def collect(self) -> Iterator[Metric]:
        for sample in self._read():
            family = CounterMetricFamily if sample.only_grows else GaugeMetricFamily
            yield family(sample.name, sample.description, value=sample.value)
