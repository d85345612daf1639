"""What the parts of a server say of themselves when the metrics are asked for.

They count with plain numbers, because a counter of Prometheus's library costs a microsecond, which
is much beside what an event costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from prometheus_client.metrics_core import Metric

from flowmaestro.api.metrics.families import counter, gauge, histogram
from flowmaestro.api.services import Engine
from flowmaestro.events import EVENT_TYPES
from flowmaestro.storage import LogRecord, Storage
from flowmaestro.streaming import Hub

Queues: TypeAlias = Mapping[str, tuple[int, int | None]]
"""By name: how much is in it, and how much may be (``None``: any amount)."""


class LogMetrics:
    """Counts appended events; :meth:`on_commit` is a listener of the log."""

    def __init__(self) -> None:
        self._appends = 0
        self._events = dict.fromkeys((*EVENT_TYPES, "other"), 0)

    def on_commit(self, execution_id: str, records: list[LogRecord]) -> None:  # noqa: ARG002
        self._appends += 1
        events = self._events
        for _, kind, _ in records:
            events[kind if kind in events else "other"] += 1

    def read(self) -> Iterator[Metric]:
        yield counter(
            "events_appended",
            "Events made durable in execution logs.",
            {(kind,): count for kind, count in self._events.items() if count},
            ("type",),
        )
        yield counter("log_appends", "Appends to execution logs.", self._appends)


def engine_metrics(engine: Engine) -> Iterator[Metric]:
    """Executions, attempts, and what the engine could not do."""
    statistics = engine.statistics
    yield gauge("running_nodes", "Nodes that run now.", engine.running_nodes)
    yield gauge(
        "active_executions", "Executions that are held in memory now.", engine.active_executions
    )
    yield gauge(
        "unfinished_executions",
        "Executions that are pending or running.",
        engine.unfinished_executions,
    )
    yield counter("executions_accepted", "Executions accepted.", statistics.accepted)
    yield counter(
        "executions_refused",
        "Executions refused: too many were unfinished.",
        statistics.refused,
    )
    yield counter(
        "executions_recovered",
        "Executions that an earlier server had begun, gone on with.",
        statistics.recovered,
    )
    yield histogram(
        "execution_duration_seconds",
        "Time from an execution's start to its end, by its status.",
        {(status,): seconds for status, seconds in statistics.ended.items()},
        ("status",),
    )
    yield histogram(
        "node_attempt_duration_seconds",
        "Time that attempts took, by their node's type and how they ended.",
        {names: seconds for names, seconds in statistics.attempts.items()},  # noqa: C416
        ("node_type", "outcome"),
    )
    yield counter(
        "log_conflicts",
        "Executions left alone because somebody else writes their log.",
        statistics.conflicts,
    )
    yield counter(
        "engine_failures", "Executions failed by the engine itself.", statistics.internal_failures
    )
    yield counter(
        "node_messages_dropped",
        "Log messages of nodes not recorded: they came too fast.",
        statistics.dropped_messages,
    )


def hub_metrics(hub: Hub) -> Iterator[Metric]:
    """Streams: how many, how far behind, and what they lost."""
    gauges, counters = hub.gauges(), hub.counters
    yield gauge("streams_level", "Open streams that have all there is.", gauges.level)
    yield gauge("streams_behind", "Open streams served from the log just now.", gauges.behind)
    yield gauge(
        "stream_largest_lag_events",
        "Events that the reader farthest behind has yet to be given.",
        gauges.largest_lag,
    )
    yield histogram(
        "stream_delivery_seconds",
        "Time from a commit's being durable to its being written to its level readers.",
        hub.delivery_seconds,
    )
    yield counter(
        "stream_gaps",
        "Numbers that jumped, in the commits heard of or in pages of the log.",
        {("commits",): counters.commit_gaps, ("log",): counters.log_gaps},
        ("source",),
    )
    for name, description, value in (
        ("streams_opened", "Streams that began.", counters.opened),
        ("streams_refused", "Streams refused: too many are open.", hub.admission.refused),
        ("stream_events_delivered", "Events handed to readers.", counters.events_delivered),
        ("stream_overflows", "Times a reader fell behind.", counters.overflows),
        ("stream_drops", "Readers dropped because they took nothing.", counters.drops),
        ("stream_log_failures", "Streams cut off by an unreadable log.", counters.log_failures),
        ("stream_repeats", "Commits heard of more than once.", counters.commit_repeats),
    ):
        yield counter(name, description, value)


def storage_metrics(storage: Storage) -> Iterator[Metric]:
    """What the database took and refused."""
    statistics = storage.statistics
    yield histogram(
        "log_append_seconds",
        "Time from an append's place in the queue to its being durable.",
        statistics.append_seconds,
    )
    yield histogram(
        "storage_commit_seconds",
        "Time of the writer's transactions, the wait for the disk included.",
        statistics.commit_seconds,
    )
    yield counter(
        "storage_errors",
        "Transactions and reads that the database refused.",
        {("write",): statistics.write_failures, ("read",): statistics.read_failures},
        ("operation",),
    )
    yield counter(
        "retention_events_removed", "Events removed by retention.", statistics.events_removed
    )


def queue_metrics(queues: Queues) -> Iterator[Metric]:
    """Every queue, with its bound where it has one: what is at its bound holds up or refuses."""
    yield gauge(
        "queue_depth",
        "What is in a queue now.",
        {(name,): depth for name, (depth, _) in queues.items()},
        ("queue",),
    )
    yield gauge(
        "queue_limit",
        "What a queue holds at most.",
        {(name,): limit for name, (_, limit) in queues.items() if limit is not None},
        ("queue",),
    )
