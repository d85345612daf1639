"""Workflows: store, read, and execute."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from flowmaestro.api.bodies import json_kind, read_document, read_model
from flowmaestro.api.credentials import is_like_credential
from flowmaestro.api.errors import invalid_field
from flowmaestro.api.middleware.request import EXECUTION_ID_KEY
from flowmaestro.api.responses import success
from flowmaestro.api.routes.parameters import (
    Authorized,
    PageNumber,
    PerPage,
    Services,
    admitted,
)
from flowmaestro.api.routes.table import Route, definition_body, header_parameter, json_body
from flowmaestro.api.schemas import (
    AcceptedExecution,
    Envelope,
    PageEnvelope,
    Pagination,
    WorkflowView,
)
from flowmaestro.api.services import ApiServices, services_of
from flowmaestro.engine.errors import EngineStopping
from flowmaestro.storage import Idempotency
from flowmaestro.workflow import input_schema, to_document, validate
from flowmaestro.workflow.catalog import Catalog
from flowmaestro.workflow.trace_context import parse_traceparent

WORKFLOW_ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_WORKFLOW_ID = re.compile(WORKFLOW_ID_PATTERN, re.ASCII)
_IDEMPOTENCY_KEY_PATTERN = "[!-~]{1,255}"
_IDEMPOTENCY_KEY = re.compile(_IDEMPOTENCY_KEY_PATTERN, re.ASCII)


class ExecuteRequest(BaseModel):
    """What an execution starts from."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: dict[str, Any] = Field(
        default_factory=dict, description="Values for the workflow's `input` nodes, by name."
    )


class CheckedDefinition(BaseModel):
    """A definition that was found valid, ready to be stored."""

    model_config = ConfigDict(frozen=True)

    id: str | None
    name: str
    document: dict[str, Any]
    input_schema: dict[str, Any]


async def list_workflows(
    request: Request,
    caller: Authorized,
    services: Services,
    page: PageNumber = 1,
    per_page: PerPage = 20,
) -> Response:
    """A page of the workspace's workflows, newest first."""
    found = await services.storage.workflows.list(caller.workspace, page=page, per_page=per_page)
    return success(
        request.scope,
        [WorkflowView.of(workflow) for workflow in found.items],
        beside={"pagination": Pagination.of(found)},
    )


async def get_workflow(
    request: Request, caller: Authorized, services: Services, workflow_id: str
) -> Response:
    """One workflow at its newest version."""
    workflow = await services.storage.workflows.get(caller.workspace, workflow_id)
    return success(request.scope, WorkflowView.of(workflow))


async def create_workflow(request: Request, caller: Authorized, services: Services) -> Response:
    """Check a definition whole and store it as version 1; with the id of a workflow that was
    deleted, as that one's next version."""
    checked = await _checked_definition(request, services, caller.workspace)
    workflow = await services.storage.workflows.create(
        caller.workspace,
        checked.document,
        name=checked.name,
        id=checked.id,
        input_schema=checked.input_schema,
    )
    return success(request.scope, WorkflowView.of(workflow), status=201)


async def replace_workflow(
    request: Request, caller: Authorized, services: Services, workflow_id: str
) -> Response:
    """Check a definition whole and store it as the next version. Executions that exist keep the
    version they began with. A workflow that was deleted is there again."""
    # An unknown id is the answer whatever the body is, and costs no validation.
    await services.storage.workflows.require_replaceable(caller.workspace, workflow_id)
    checked = await _checked_definition(request, services, caller.workspace)
    if checked.id not in (None, workflow_id):
        raise invalid_field(
            "body.id", f"The body's id is not the path's {workflow_id!r}; an id cannot change."
        )
    workflow = await services.storage.workflows.replace(
        caller.workspace,
        workflow_id,
        checked.document,
        name=checked.name,
        input_schema=checked.input_schema,
    )
    return success(request.scope, WorkflowView.of(workflow))


async def delete_workflow(caller: Authorized, services: Services, workflow_id: str) -> Response:
    """Delete a workflow. Its executions stay, and those that run go on."""
    await services.storage.workflows.delete(caller.workspace, workflow_id)
    return Response(status_code=204)


async def execute_workflow(request: Request, workflow_id: str) -> Response:
    """Start an execution. It is stored before the answer is sent; its events can be streamed at
    once. With an `Idempotency-Key`, a retry within 24 hours gets the first answer again."""
    caller = await admitted(request)
    services = services_of(request)
    body = await read_model(request, ExecuteRequest)
    idempotency = _idempotency(request, workflow_id, body.inputs)
    if services.lifecycle.shutting_down:
        raise EngineStopping
    parent = parse_traceparent(request.headers.get("traceparent"))
    execution, created = await services.engine.accept(
        caller.workspace,
        workflow_id,
        body.inputs,
        idempotency,
        traceparent=None if parent is None else parent.traceparent,
    )
    request.scope[EXECUTION_ID_KEY] = execution.id
    collection = request.scope["path"].split("/workflows/")[0]
    accepted = AcceptedExecution(
        execution_id=execution.id,
        workflow_id=execution.workflow_id,
        inputs=dict(execution.inputs),
        events_url=f"{collection}/executions/{execution.id}/events",
    )
    headers = {} if created else {"Idempotent-Replayed": "true"}
    return success(request.scope, accepted, status=202, headers=headers)


async def _checked_definition(
    request: Request, services: ApiServices, workspace: str
) -> CheckedDefinition:
    body = await read_document(request)
    if not isinstance(body, dict):
        raise invalid_field("body", f"A definition is an object, not {json_kind(body)}.")
    workflow_id = body.get("id")
    if workflow_id is not None and not (
        isinstance(workflow_id, str) and _WORKFLOW_ID.fullmatch(workflow_id)
    ):
        raise invalid_field(
            "body.id",
            "A workflow's id is 1 to 100 letters, digits, '_' or '-', and begins with a letter or "
            "a digit.",
            allowed=_WORKFLOW_ID.pattern,
        )
    document = {name: value for name, value in body.items() if name != "id"}
    known_workflows = await services.storage.workflows.ids(workspace)
    # Outside the event loop's thread: the largest definitions take long enough to be felt.
    return await asyncio.to_thread(_check, document, workflow_id, services.catalog, known_workflows)


def _check(
    document: dict[str, Any],
    workflow_id: str | None,
    catalog: Catalog,
    known_workflows: Collection[str],
) -> CheckedDefinition:
    definition = validate(document, catalog, known_workflows=known_workflows)
    return CheckedDefinition(
        id=workflow_id,
        name=definition.name,
        document=to_document(definition),
        input_schema=input_schema(definition),
    )


def _idempotency(
    request: Request, workflow_id: str, inputs: Mapping[str, Any]
) -> Idempotency | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid_field(
            "header.Idempotency-Key", "An idempotency key is 1 to 255 printable ASCII characters."
        )
    if is_like_credential(key):  # it would be stored as it is
        raise invalid_field(
            "header.Idempotency-Key", "An idempotency key is a name for the request, no API key."
        )
    # What the request means, not its bytes: a retry may order or space its JSON differently.
    meaning = json.dumps([workflow_id, inputs], sort_keys=True, separators=(",", ":"))
    return Idempotency(key, hashlib.sha256(meaning.encode()).hexdigest())


ROUTES = (
    Route(
        method="GET",
        path="/workflows",
        endpoint=list_workflows,
        summary="List workflows",
        tag="Workflows",
        scopes=("workflows:read",),
        model=PageEnvelope[WorkflowView],
        errors=("validation_error",),
    ),
    Route(
        method="POST",
        path="/workflows",
        endpoint=create_workflow,
        summary="Create a workflow",
        tag="Workflows",
        scopes=("workflows:write",),
        status=201,
        model=Envelope[WorkflowView],
        errors=("validation_error", "payload_too_large"),
        openapi={"requestBody": definition_body()},
    ),
    Route(
        method="GET",
        path="/workflows/{workflow_id}",
        endpoint=get_workflow,
        summary="Get a workflow",
        tag="Workflows",
        scopes=("workflows:read",),
        model=Envelope[WorkflowView],
        errors=("resource_not_found",),
    ),
    Route(
        method="PUT",
        path="/workflows/{workflow_id}",
        endpoint=replace_workflow,
        summary="Replace a workflow",
        tag="Workflows",
        scopes=("workflows:write",),
        model=Envelope[WorkflowView],
        errors=("validation_error", "payload_too_large", "resource_not_found"),
        openapi={"requestBody": definition_body()},
    ),
    Route(
        method="DELETE",
        path="/workflows/{workflow_id}",
        endpoint=delete_workflow,
        summary="Delete a workflow",
        tag="Workflows",
        scopes=("workflows:write",),
        status=204,
        errors=("resource_not_found",),
    ),
    Route(
        method="POST",
        path="/workflows/{workflow_id}/execute",
        endpoint=execute_workflow,
        summary="Execute a workflow",
        tag="Workflows",
        scopes=("workflows:read", "workflows:execute"),
        status=202,
        direct=True,
        model=Envelope[AcceptedExecution],
        errors=("validation_error", "payload_too_large", "resource_not_found"),
        openapi={
            "requestBody": json_body(ExecuteRequest, required=False),
            "parameters": [
                header_parameter(
                    "Idempotency-Key",
                    "Makes a retry return the first request's answer.",
                    pattern=f"^{_IDEMPOTENCY_KEY_PATTERN}$",
                ),
                header_parameter(
                    "traceparent", "W3C Trace Context: the execution becomes part of that trace."
                ),
            ],
        },
    ),
)
