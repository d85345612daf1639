"""Executions: list, read, cancel, watch, and let others watch."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from flowmaestro.api.auth import TICKET_PARAMETER, authenticate_reader
from flowmaestro.api.bodies import read_model
from flowmaestro.api.responses import success
from flowmaestro.api.routes.parameters import (
    EVENTS_PARAMETERS,
    Authorized,
    PageNumber,
    PerPage,
    Services,
)
from flowmaestro.api.routes.table import (
    Route,
    json_body,
    require_known_parameters,
    required_scopes,
)
from flowmaestro.api.schemas import Envelope, ExecutionView, PageEnvelope, Pagination, TicketView
from flowmaestro.api.services import services_of
from flowmaestro.api.stream import Asker, stream_events
from flowmaestro.api.tickets import DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS, sign_ticket
from flowmaestro.events import Status


def _without_fraction(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_without_fraction)]
"""An integer however it is written: to JSON Schema 300.0 is one."""


class CancelRequest(BaseModel):
    """Why an execution is cancelled; the body may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(default="Cancelled by request.", min_length=1, max_length=1000)


class TicketRequest(BaseModel):
    """For how long a ticket is good; the body may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ttl_seconds: Whole = Field(default=DEFAULT_TTL_SECONDS, ge=1, le=MAX_TTL_SECONDS)


async def list_executions(
    request: Request,
    caller: Authorized,
    services: Services,
    workflow_id: Annotated[str | None, Query(description="Only this workflow's.")] = None,
    status: Annotated[Status | None, Query(description="Only those that stand so.")] = None,
    page: PageNumber = 1,
    per_page: PerPage = 20,
) -> Response:
    """A page of the workspace's executions, newest first."""
    found = await services.storage.executions.list(
        caller.workspace, workflow_id=workflow_id, status=status, page=page, per_page=per_page
    )
    return success(
        request.scope,
        [ExecutionView.of(execution) for execution in found.items],
        beside={"pagination": Pagination.of(found)},
    )


async def get_execution(
    request: Request, caller: Authorized, services: Services, execution_id: str
) -> Response:
    """One execution as it stands now."""
    execution = await services.storage.executions.get(execution_id, caller.workspace)
    return success(request.scope, ExecutionView.of(execution))


async def cancel_execution(
    request: Request, caller: Authorized, services: Services, execution_id: str
) -> Response:
    """End an execution: what runs is stopped, what waits does not start. A finished execution
    cannot be cancelled."""
    body = await read_model(request, CancelRequest)
    # The engine knows no workspaces: whose execution it is is settled here.
    await services.storage.executions.get(execution_id, caller.workspace)
    execution = await services.engine.cancel(execution_id, body.reason)
    return success(request.scope, ExecutionView.of(execution))


async def create_ticket(
    request: Request, caller: Authorized, services: Services, execution_id: str
) -> Response:
    """A ticket: it opens the execution's events, read-only, in a place that no key should go to,
    such as a web page. It ends with its time or with the key, whichever comes first."""
    body = await read_model(request, TicketRequest)
    execution = await services.storage.executions.get(execution_id, caller.workspace)
    expires_at = services.clock() + timedelta(seconds=body.ttl_seconds)
    if caller.key.expires_at is not None:
        expires_at = min(expires_at, caller.key.expires_at)
    ticket = sign_ticket(
        key_id=caller.key.id,
        key_hash=caller.key_hash,
        execution_id=execution.id,
        expires_at=expires_at,
    )
    events_path = request.scope["path"].removesuffix("/tickets") + "/events"
    view = TicketView(
        ticket=ticket,
        expires_at=expires_at,
        events_url=f"{events_path}?{TICKET_PARAMETER}={ticket}",
    )
    return success(request.scope, view, status=201, headers={"Cache-Control": "no-store"})


async def get_events(request: Request, execution_id: str) -> Response:
    """The execution's events, from the first or from after a cursor on, then live."""
    caller = await authenticate_reader(request, execution_id)
    caller.require(*required_scopes(request))
    require_known_parameters(request)
    services = services_of(request)
    asker = Asker(workspace=caller.workspace, owner=caller.key.id)
    return await stream_events(request, execution_id, asker, services)


ROUTES = (
    Route(
        method="GET",
        path="/executions",
        endpoint=list_executions,
        summary="List executions",
        tag="Executions",
        scopes=("executions:read",),
        model=PageEnvelope[ExecutionView],
        errors=("validation_error",),
    ),
    Route(
        method="GET",
        path="/executions/{execution_id}",
        endpoint=get_execution,
        summary="Get an execution",
        tag="Executions",
        scopes=("executions:read",),
        model=Envelope[ExecutionView],
        errors=("resource_not_found",),
    ),
    Route(
        method="POST",
        path="/executions/{execution_id}/cancel",
        endpoint=cancel_execution,
        summary="Cancel an execution",
        tag="Executions",
        scopes=("executions:read", "executions:cancel"),
        model=Envelope[ExecutionView],
        errors=("validation_error", "resource_not_found", "payload_too_large"),
        openapi={"requestBody": json_body(CancelRequest, required=False)},
    ),
    Route(
        method="POST",
        path="/executions/{execution_id}/tickets",
        endpoint=create_ticket,
        summary="Create a ticket for an execution's events",
        tag="Executions",
        scopes=("executions:read",),
        status=201,
        model=Envelope[TicketView],
        errors=("validation_error", "resource_not_found", "payload_too_large"),
        openapi={"requestBody": json_body(TicketRequest, required=False)},
    ),
    Route(
        method="GET",
        path="/executions/{execution_id}/events",
        endpoint=get_events,
        summary="Stream an execution's events",
        tag="Executions",
        scopes=("executions:read",),
        errors=("validation_error", "resource_not_found", "not_acceptable", "cursor_expired"),
        direct=True,
        openapi={"parameters": EVENTS_PARAMETERS},
    ),
)
