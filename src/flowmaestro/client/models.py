"""What the SDK returns: the API's resources as frozen models.

Unknown fields are kept, so that a client reads the answers of a newer server without loss.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flowmaestro.events import Status, Timestamp


class Resource(BaseModel):
    """What every resource is: frozen, and open to fields of a newer server."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class ErrorDetails(Resource):
    """Where and how an execution failed."""

    code: str
    """What kind of failure it was, for programs."""
    node_id: str | None = None
    """The path of the node that failed, if one did."""


class Execution(Resource):
    """One run of a workflow."""

    id: str
    workflow_id: str
    workflow_name: str
    status: Status
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None = None
    error: str | None = None
    """A sentence that says why it failed."""
    error_details: ErrorDetails | None = None
    created_at: Timestamp
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    """When it ended, however it ended."""
    duration_ms: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status not in ("pending", "running")


class Workflow(Resource):
    """A workflow at its newest version."""

    id: str
    name: str
    description: str | None = None
    version: int
    """From 1; every replacement adds one."""
    definition: dict[str, Any] | None = None
    """``None`` where a server's listing leaves it out."""
    input_schema: dict[str, Any] | None = None
    """JSON Schema of an execution's inputs."""
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class ExecuteResponse(Resource):
    """An execution that was accepted; its events can be streamed from the first one on."""

    execution_id: str
    workflow_id: str
    status: Status
    inputs: dict[str, Any]
    events_url: str
    """The path of the execution's event stream on the server."""


class Ticket(Resource):
    """Opens the event stream of one execution, and nothing else, until it expires."""

    ticket: str = Field(repr=False)
    expires_at: Timestamp
    events_url: str = Field(repr=False)
    """The path of the event stream on the server, with the ticket in it."""


class Pagination(Resource):
    """Where a page lies among all pages."""

    page: int
    """From 1."""
    per_page: int
    total_count: int
    total_pages: int
    has_next: bool
    has_prev: bool
    has_more: bool
