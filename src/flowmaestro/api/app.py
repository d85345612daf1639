"""The application: routes and middleware around the services it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

import flowmaestro
from flowmaestro.api import web
from flowmaestro.api.failures import on_http_exception, on_invalid_parameters
from flowmaestro.api.metrics import Metrics
from flowmaestro.api.metrics.sources import (
    LogMetrics,
    engine_metrics,
    hub_metrics,
    storage_metrics,
)
from flowmaestro.api.middleware.body_limit import BodyLimitMiddleware
from flowmaestro.api.middleware.cors import CorsMiddleware
from flowmaestro.api.middleware.failures import FailureMiddleware
from flowmaestro.api.middleware.request import RequestMiddleware
from flowmaestro.api.openapi import describe
from flowmaestro.api.rate_limits import RateLimiter
from flowmaestro.api.routes import executions, operations, workflows
from flowmaestro.api.routes.table import DirectRoute, Endpoint, Route
from flowmaestro.api.services import ApiOptions, ApiServices
from flowmaestro.storage import IdGenerator

ROUTES = (*workflows.ROUTES, *executions.ROUTES)
PREFIXES = ("/api/v1", "/v1")
"""Where the API answers; the first is the one that is documented."""


class Application(FastAPI):
    """FastAPI with our description of the API."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; it is made once, when it is first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self, ROUTES, PREFIXES[0])
        return self.openapi_schema


def create_app(services: ApiServices) -> Application:
    """Return the ASGI application of the API.

    It opens and closes nothing: *services* are running before it answers and are closed by who
    made them. It runs on any ASGI server.
    """
    metrics = Metrics()
    app = Application(
        title="FlowMaestro",
        version=flowmaestro.__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(services.options, metrics),
        exception_handlers={
            HTTPException: on_http_exception,
            RequestValidationError: on_invalid_parameters,
        },
        # Spans and log records of its own would double what the middleware says.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    app.state.metrics = metrics
    app.state.rate_limiter = RateLimiter()
    _connect_metrics(services, metrics)
    # The router tries one after the other, so the one in a hurry comes first.
    for route in sorted(ROUTES, key=lambda route: not route.direct):
        for prefix in PREFIXES:
            _add_route(app, prefix, route)
    _add_operations(app, services.options)
    _add_web(app, services.options)
    return app


def _middleware(options: ApiOptions, metrics: Metrics) -> Sequence[Middleware]:
    ids = IdGenerator()
    return (
        Middleware(
            RequestMiddleware,
            new_request_id=lambda: ids.new_id("req"),
            metrics=metrics.requests,
        ),
        Middleware(CorsMiddleware, origins=options.cors_origins),
        Middleware(FailureMiddleware),
        Middleware(BodyLimitMiddleware, max_body_bytes=options.max_body_bytes),
    )


def _connect_metrics(services: ApiServices, metrics: Metrics) -> None:
    engine, hub, storage = services.engine, services.hub, services.storage
    log = LogMetrics()
    storage.log.on_commit(log.on_commit)
    metrics.add_source(log.read)
    metrics.add_source(lambda: engine_metrics(engine))
    metrics.add_source(lambda: hub_metrics(hub))
    metrics.add_source(lambda: storage_metrics(storage))
    for part in (engine, hub, storage):
        metrics.add_queues(part.queues)


def _add_route(app: FastAPI, prefix: str, route: Route) -> None:
    documented = prefix == PREFIXES[0]
    for methods in _methods(route.method, documented=documented):
        app.router.add_api_route(
            prefix + route.path,
            route.endpoint,
            methods=methods,
            status_code=route.status,
            response_model=None,
            summary=route.summary,
            tags=[route.tag],
            responses=route.responses(),
            operation_id=route.endpoint.__name__,
            openapi_extra=dict(route.openapi),
            include_in_schema=documented and methods != ["HEAD"],
            route_class_override=DirectRoute if route.direct else None,
        )


def _add_operations(app: FastAPI, options: ApiOptions) -> None:
    table = (
        ("/healthz", operations.healthz, True),
        ("/readyz", operations.readyz, True),
        ("/metrics", operations.metrics, options.metrics_enabled),
        ("/openapi.json", operations.openapi, options.docs_enabled),
        ("/docs", operations.docs, options.docs_enabled),
    )
    for prefix in ("", *PREFIXES):
        for path, endpoint, enabled in table:
            documented = enabled and prefix == ""
            for methods in _methods("GET", documented=documented):
                app.add_api_route(
                    prefix + path,
                    endpoint if enabled else operations.switched_off,
                    methods=methods,
                    response_model=None,
                    tags=["Operations"],
                    operation_id=endpoint.__name__,
                    include_in_schema=documented and methods != ["HEAD"],
                )


def _add_web(app: FastAPI, options: ApiOptions) -> None:
    endpoints: dict[str, Endpoint] = dict.fromkeys(web.PAGE_PATHS, web.page)
    endpoints[web.ASSETS_PATH] = web.asset
    for path, endpoint in endpoints.items():
        app.add_api_route(
            path,
            endpoint if options.web_enabled else operations.switched_off,
            methods=["GET", "HEAD"],
            response_model=None,
            include_in_schema=False,
        )


def _methods(method: str, *, documented: bool) -> list[list[str]]:
    """Return the methods of the routes for *method*: HEAD is wherever GET is (RFC 9110 §9.3.2), by
    the same route unless only one of them is to be documented."""
    if method != "GET":
        return [[method]]
    return [["GET"], ["HEAD"]] if documented else [["GET", "HEAD"]]
