"""The API's calls as values: what is sent, and how the answer is read. Both clients share them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from flowmaestro.client.answers import Answer, read_page, read_resource
from flowmaestro.client.errors import ConfigurationError
from flowmaestro.client.models import ExecuteResponse, Execution, Pagination, Ticket, Workflow
from flowmaestro.events import MAX_CURSOR, Status

Result = TypeVar("Result")
PageOf = tuple[tuple[Result, ...], Pagination]

Definition = Mapping[str, Any]
"""A workflow definition: the same object as in its JSON or YAML."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request and what its answer means."""

    method: str
    path: str
    """Below the base URL, from its slash on."""
    read: Callable[[Answer], Result]
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Any = None
    """Sent as JSON; ``None`` sends no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it twice does no more than sending it once."""


def list_workflows(page: int, per_page: int) -> Call[PageOf[Workflow]]:
    return Call(
        "GET",
        "/workflows",
        partial(read_page, Workflow),
        query={"page": page, "per_page": per_page},
    )


def get_workflow(workflow_id: str) -> Call[Workflow]:
    return Call("GET", _path("workflows", workflow_id), partial(read_resource, Workflow))


def create_workflow(definition: Definition, workflow_id: str | None) -> Call[Workflow]:
    body = dict(definition)
    if workflow_id is not None:
        body["id"] = workflow_id
    return Call("POST", "/workflows", partial(read_resource, Workflow), body=body, repeatable=False)


def update_workflow(workflow_id: str, definition: Definition) -> Call[Workflow]:
    path = _path("workflows", workflow_id)
    return Call("PUT", path, partial(read_resource, Workflow), body=dict(definition))


def delete_workflow(workflow_id: str) -> Call[None]:
    return Call("DELETE", _path("workflows", workflow_id), lambda _answer: None)


def execute_workflow(
    workflow_id: str, inputs: Mapping[str, Any] | None, idempotency_key: str | None
) -> Call[ExecuteResponse]:
    # Without a key of the caller's own, one per call still makes our repeats safe.
    key = idempotency_key if idempotency_key is not None else f"sdk-{uuid.uuid4().hex}"
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigurationError("idempotency_key must be printable ASCII text.")
    return Call(
        "POST",
        _path("workflows", workflow_id, "execute"),
        partial(read_resource, ExecuteResponse),
        body={"inputs": dict(inputs or {})},
        headers={"Idempotency-Key": key},
    )


def list_executions(
    workflow_id: str | None, status: Status | None, page: int, per_page: int
) -> Call[PageOf[Execution]]:
    query: dict[str, str | int] = {"page": page, "per_page": per_page}
    if workflow_id is not None:
        query["workflow_id"] = workflow_id
    if status is not None:
        query["status"] = status
    return Call("GET", "/executions", partial(read_page, Execution), query=query)


def get_execution(execution_id: str) -> Call[Execution]:
    return Call("GET", _path("executions", execution_id), partial(read_resource, Execution))


def cancel_execution(execution_id: str, reason: str | None = None) -> Call[Execution]:
    path = _path("executions", execution_id, "cancel")
    body = None if reason is None else {"reason": reason}
    return Call("POST", path, partial(read_resource, Execution), body=body, repeatable=False)


def create_ticket(execution_id: str, ttl_seconds: int) -> Call[Ticket]:
    # A ticket that nobody received opens nothing for anybody, so a repeat does no harm.
    path = _path("executions", execution_id, "tickets")
    return Call("POST", path, partial(read_resource, Ticket), body={"ttl_seconds": ttl_seconds})


@dataclass(frozen=True, slots=True)
class StreamCall:
    """A stream that is to be opened, as often as it takes."""

    execution_id: str
    path: str
    query: Mapping[str, str]
    last_event_id: int


def stream_events(
    execution_id: str,
    last_event_id: int,
    types: Collection[str] | None,
    include: Collection[str] | None,
) -> StreamCall:
    if not 0 <= last_event_id <= MAX_CURSOR:
        raise ConfigurationError(f"last_event_id must be from 0 to {MAX_CURSOR}.")
    query = {}
    for name, values in (("types", types), ("include", include)):
        if values is not None:
            if isinstance(values, str):
                raise ConfigurationError(f"{name} must be a list of event types, not one text.")
            query[name] = ",".join(values)
    path = _path("executions", execution_id, "events")
    return StreamCall(execution_id, path, query, last_event_id)


def _path(collection: str, resource_id: str, *rest: str) -> str:
    # An empty id or dots would make the path of another resource.
    if not resource_id or resource_id.strip(".") == "":
        raise ConfigurationError(f"{resource_id!r} is no id of {collection}.")
    return "/" + "/".join((collection, quote(resource_id, safe=""), *rest))
