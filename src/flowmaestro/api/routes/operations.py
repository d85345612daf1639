"""What operators and tools ask: is it alive, is it ready, its metrics, its documentation."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from flowmaestro.api.docs_page import render_docs
from flowmaestro.api.errors import ApiError, unavailable
from flowmaestro.api.metrics import Metrics
from flowmaestro.api.responses import json_response, success
from flowmaestro.api.routes.parameters import Services

_DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


async def healthz(request: Request) -> Response:
    """Answers as long as the process does. Restart it when this fails."""
    return success(request.scope, {"status": "ok"}, headers={"Cache-Control": "no-store"})


async def readyz(request: Request, services: Services) -> Response:
    """Whether to send traffic here: the storage answers, and new work is taken."""
    if services.lifecycle.shutting_down or not services.engine.accepting:
        raise unavailable("The server takes no new work: it is starting or shutting down.")
    await services.storage.check()
    return success(request.scope, {"status": "ready"}, headers={"Cache-Control": "no-store"})


async def metrics(request: Request) -> Response:
    """Prometheus's text format. No key is needed; settings can switch it off."""
    found = request.app.state.metrics
    assert isinstance(found, Metrics)
    return Response(found.render(), headers={"Content-Type": found.content_type})


async def openapi(request: Request) -> Response:
    """This API, described in OpenAPI 3.1."""
    return json_response(request.app.openapi())


async def docs(request: Request) -> Response:
    """The same description as a page for people; it loads nothing from anywhere else."""
    return HTMLResponse(
        render_docs(request.app.openapi()), headers={"Content-Security-Policy": _DOCS_POLICY}
    )


async def switched_off(request: Request) -> Response:
    """Answers where settings took a page away."""
    raise ApiError(
        "resource_not_found", f"{request.scope['path']} is switched off in the settings."
    )
