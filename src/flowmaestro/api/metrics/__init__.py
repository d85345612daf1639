"""Prometheus metrics, in a registry that belongs to one application.

    families.py   numbers as metrics in Prometheus's sense
    requests.py   requests, failures and failed authentication: counted as they end
    sources.py    what engine, hub, storage and log say of themselves when they are asked

Every label's values are bounded: a route's template (never the path that came), a method of HTTP,
a status code, an error code, an event type, a node type of this server, the name of a queue.
"""

from flowmaestro.api.metrics.families import counter, gauge, histogram
from flowmaestro.api.metrics.metrics import Metrics
from flowmaestro.api.metrics.requests import RequestMetrics

__all__ = ["Metrics", "RequestMetrics", "counter", "gauge", "histogram"]
