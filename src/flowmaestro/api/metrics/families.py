"""Numbers as metrics in Prometheus's sense."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.utils import floatToGoString

from flowmaestro.storage import Distribution

Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = float | Mapping[Labels, float]
"""One number, or one for each combination of labels' values."""


def gauge(name: str, description: str, values: Values, labels: Labels = ()) -> GaugeMetricFamily:
    """Return what goes up and down."""
    family = GaugeMetricFamily(f"flowmaestro_{name}", description, labels=labels)
    _fill(family, values)
    return family


def counter(
    name: str, description: str, values: Values, labels: Labels = ()
) -> CounterMetricFamily:
    """Return what only grows; ``_total`` is put after its name."""
    family = CounterMetricFamily(f"flowmaestro_{name}", description, labels=labels)
    _fill(family, values)
    return family


def histogram(
    name: str,
    description: str,
    values: Distribution | Mapping[Labels, Distribution],
    labels: Labels = (),
) -> HistogramMetricFamily:
    """Return how often values lay where."""
    family = HistogramMetricFamily(f"flowmaestro_{name}", description, labels=labels)
    found = {(): values} if isinstance(values, Distribution) else values
    for names, distribution in found.items():
        bounds = [*map(floatToGoString, distribution.bounds), "+Inf"]
        # A copy, since another thread may count while this one adds up.
        cumulative = accumulate(tuple(distribution.counts))
        buckets = list(zip(bounds, map(float, cumulative), strict=True))
        family.add_metric(names, buckets, distribution.sum)
    return family


def _fill(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> None:
    for names, value in ({(): values} if not isinstance(values, Mapping) else values).items():
        family.add_metric(names, value)
