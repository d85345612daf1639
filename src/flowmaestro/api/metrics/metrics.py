"""The metrics of one application."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import flowmaestro
from flowmaestro.api.metrics.families import gauge
from flowmaestro.api.metrics.requests import RequestMetrics
from flowmaestro.api.metrics.sources import Queues, queue_metrics


class Metrics:
    """Rendered by :meth:`render`; it has the process's own metrics from the start."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = RequestMetrics(self._registry)
        ProcessCollector(registry=self._registry)
        self._queues: list[Callable[[], Queues]] = []
        self.add_source(_build_info)
        self.add_source(self._queue_metrics)

    def add_source(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Add what *read* returns whenever the metrics are asked for."""
        self._registry.register(_Source(read))

    def add_queues(self, read: Callable[[], Queues]) -> None:
        """Add the queues that *read* returns, likewise."""
        self._queues.append(read)

    def _queue_metrics(self) -> Iterable[Metric]:
        return queue_metrics(
            {name: queue for read in self._queues for name, queue in read().items()}
        )

    def render(self) -> bytes:
        """Return every metric in Prometheus's text format."""
        return generate_latest(self._registry)


def _build_info() -> Iterable[Metric]:
    versions = (flowmaestro.__version__, platform.python_version())
    yield gauge("build_info", "What runs; always 1.", {versions: 1}, ("version", "python"))


class _Source(Collector):
    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return ()  # or the registry would read it while the server is being put together

    def collect(self) -> Iterable[Metric]:
        return self._read()
