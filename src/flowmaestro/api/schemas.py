"""The resources as the API shows them, and the envelopes: what is sent is what is documented."""

from __future__ import annotations

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from flowmaestro.api.errors import ErrorCode
from flowmaestro.events import Status, Timestamp
from flowmaestro.storage import Execution, Page, Workflow

Data = TypeVar("Data")


class Resource(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class ErrorDetailsView(Resource):
    """Where an execution failed."""

    code: str = Field(description="What kind of failure it was, for programs.")
    node_id: str | None = Field(description="The path of the node that failed, if one did.")


class ExecutionView(Resource):
    """One run of a workflow."""

    id: str
    workflow_id: str
    workflow_name: str
    status: Status
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    error: str | None = Field(description="A sentence that says why it failed.")
    error_details: ErrorDetailsView | None
    created_at: Timestamp
    started_at: Timestamp | None
    completed_at: Timestamp | None = Field(description="When it ended, however it ended.")
    duration_ms: int | None

    @classmethod
    def of(cls, execution: Execution) -> Self:
        """Return *execution* as the API shows it."""
        details = execution.error_details
        return cls(
            id=execution.id,
            workflow_id=execution.workflow_id,
            workflow_name=execution.workflow_name,
            status=execution.status,
            inputs=dict(execution.inputs),
            outputs=None if execution.outputs is None else dict(execution.outputs),
            error=execution.error,
            error_details=(
                None
                if details is None
                else ErrorDetailsView(code=details.code, node_id=details.node_id)
            ),
            created_at=execution.created_at,
            started_at=execution.started_at,
            completed_at=execution.completed_at,
            duration_ms=execution.duration_ms,
        )


class AcceptedExecution(Resource):
    """An execution that will run; its events can be streamed from the first one on."""

    execution_id: str
    workflow_id: str
    status: Literal["pending"] = "pending"
    inputs: dict[str, Any]
    events_url: str = Field(description="The path of the execution's event stream.")


class TicketView(Resource):
    """What opens an execution's events without a key."""

    ticket: str = Field(repr=False)
    expires_at: Timestamp
    events_url: str = Field(
        repr=False, description="The path of the event stream, with the ticket in it."
    )


class WorkflowView(Resource):
    """A workflow at its newest version."""

    id: str
    name: str
    description: str | None
    version: int = Field(description="From 1; every replacement adds one.")
    definition: dict[str, Any]
    input_schema: dict[str, Any] | None = Field(description="JSON Schema of an execution's inputs.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, workflow: Workflow) -> Self:
        """Return *workflow* as the API shows it."""
        return cls(
            id=workflow.id,
            name=workflow.name,
            description=workflow.document.get("description"),
            version=workflow.version,
            definition=workflow.document,
            input_schema=workflow.input_schema,
            created_at=workflow.created_at,
            updated_at=workflow.updated_at,
        )


class HealthView(Resource):
    """How the server is, where it is well: `ok` is alive, `ready` takes work."""

    status: Literal["ok", "ready"]


class Meta(Resource):
    request_id: str
    timestamp: Timestamp


class Pagination(Resource):
    page: int
    per_page: int
    total_count: int
    total_pages: int
    has_next: bool
    has_prev: bool
    has_more: bool

    @classmethod
    def of(cls, page: Page[Any]) -> Self:
        """Return where *page* lies among all pages."""
        total_pages = -(-page.total_count // page.per_page)
        has_next = page.page < total_pages
        return cls(
            page=page.page,
            per_page=page.per_page,
            total_count=page.total_count,
            total_pages=total_pages,
            has_next=has_next,
            has_prev=page.page > 1,
            has_more=has_next,
        )


class Envelope(Resource, Generic[Data]):
    data: Data
    meta: Meta


class PageEnvelope(Resource, Generic[Data]):
    data: list[Data]
    pagination: Pagination
    meta: Meta


class ErrorBody(Resource):
    code: ErrorCode
    message: str = Field(description="A sentence that says what was wrong and what is allowed.")
    details: dict[str, Any] = Field(description="The same for programs; depends on the code.")


class ErrorEnvelope(Resource):
    error: ErrorBody
    meta: Meta
