"""Requests: how many, how long, and what became of those that failed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from flowmaestro.api.errors import ApiError

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STREAM_ROUTE_SUFFIX = "/events"
_AUTHENTICATION_CODES = frozenset(
    {"invalid_api_key", "expired_api_key", "revoked_api_key", "insufficient_scope"}
)


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
        self._errors = Counter(
            "flowmaestro_http_errors",
            "HTTP requests answered with an error, by its code.",
            ("code",),
            registry=registry,
        )
        self._refused = Counter(
            "flowmaestro_authentication_failures",
            "Requests refused for their API key or ticket.",
            ("code", "credential"),
            registry=registry,
        )

    def observe(
        self,
        method: str,
        route: str,
        status: int,
        elapsed_seconds: float,
        error: ApiError | None = None,
    ) -> None:
        """Record one answered request; *route* is the template of its path, *error* what it was
        answered with if it failed."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith(_STREAM_ROUTE_SUFFIX):
            self._durations.labels(method, route).observe(elapsed_seconds)
        if error is None:
            return
        self._errors.labels(error.code).inc()
        if error.code in _AUTHENTICATION_CODES:
            by_ticket = error.details.get("credential") == "ticket"
            self._refused.labels(error.code, "ticket" if by_ticket else "key").inc()
