"""The events of an execution's log, as typed models: one class per event, told apart by ``type``.

An event's number is its place in the log, not part of its data: the log assigns it, a stream sends
it in the frame's ``id`` field, and the SDK puts it into :attr:`Event.number`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


@lru_cache(maxsize=1024)  # the events of one step share their moment
def format_timestamp(moment: datetime) -> str:
    """Return *moment* (timezone-aware) as ISO 8601 in UTC with milliseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def well_formed(text: Any) -> Any:
    """Return *text* with each lone surrogate, which UTF-8 cannot hold, as U+FFFD.

    Anything but a ``str`` comes back as it is, so that the field's own type refuses it.
    """
    if not isinstance(text, str) or text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


Timestamp = Annotated[
    AwareDatetime, PlainSerializer(format_timestamp, return_type=str, when_used="json")
]
"""A moment with a time zone; JSON holds it in UTC to the millisecond, rounded down."""

# Whole numbers stay `int`, so that JSON says 25 and not 25.0.
Percent = Annotated[
    Annotated[int, Field(ge=0, le=100)] | Annotated[float, Field(ge=0, le=100)],
    Field(union_mode="left_to_right"),
]
"""0 to 100."""

Prose = Annotated[str, BeforeValidator(well_formed)]
"""A sentence for people. A failure must always be recordable, whatever text it came with (a file
name that is no UTF-8, say), so lone surrogates are replaced instead of refused."""

Status = Literal["pending", "running", "completed", "failed", "cancelled"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Event(BaseModel):
    """What every event carries.

    Unknown fields are kept, so that a client reads the events of a newer server without loss.
    """

    # NaN and Infinity are written as such only for `encode_event` to see and refuse them: the
    # default would turn them into null and change a node's outputs without a word.
    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        ser_json_inf_nan="constants",
        hide_input_in_errors=True,  # what a node put out may be anybody's secret
        defer_build=True,  # validators are made at first use, not at import
    )

    terminal: ClassVar[bool] = False
    """Whether this event ends its log."""
    extension: ClassVar[bool] = False
    """Whether a stream sends this event only when ``?include=`` asks for it."""

    type: str
    execution_id: str
    timestamp: Timestamp
    number: int | None = Field(default=None, exclude=True)
    """The event's place in its log, from 1; ``None`` before the log has assigned it."""


class ExecutionStarted(Event):
    type: Literal["execution:started"] = "execution:started"
    workflow_id: str
    workflow_name: str
    started_at: Timestamp
    total_nodes: int


class ExecutionProgress(Event):
    type: Literal["execution:progress"] = "execution:progress"
    progress: Percent
    current_node: str | None
    completed_nodes: int
    total_nodes: int
    node_progress: Percent | None = Field(default=None, exclude_if=lambda value: value is None)
    """What ``current_node`` said of itself with ``context.progress``."""


class NodeStarted(Event):
    type: Literal["node:started"] = "node:started"
    node_id: str
    node_name: str
    node_type: str
    attempt: int
    started_at: Timestamp


class NodeCompleted(Event):
    type: Literal["node:completed"] = "node:completed"
    node_id: str
    node_name: str
    node_type: str
    outputs: dict[str, Any]
    attempt: int
    duration_ms: int
    completed_at: Timestamp
    handle: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The handle that a routing node chose: edges that leave by another one are not taken."""


class NodeFailed(Event):
    type: Literal["node:failed"] = "node:failed"
    node_id: str
    node_name: str
    node_type: str
    error: Prose
    error_code: str
    attempt: int
    duration_ms: int


class ExecutionCompleted(Event):
    terminal: ClassVar[bool] = True

    type: Literal["execution:completed"] = "execution:completed"
    status: Literal["completed"] = "completed"
    outputs: dict[str, Any]
    started_at: Timestamp
    completed_at: Timestamp
    duration_ms: int


class ExecutionFailed(Event):
    terminal: ClassVar[bool] = True

    type: Literal["execution:failed"] = "execution:failed"
    status: Literal["failed"] = "failed"
    error: Prose
    error_code: str
    failed_node_id: str | None
    completed_at: Timestamp
    duration_ms: int


class ExecutionCancelled(Event):
    terminal: ClassVar[bool] = True

    type: Literal["execution:cancelled"] = "execution:cancelled"
    status: Literal["cancelled"] = "cancelled"
    reason: Prose
    cancelled_at: Timestamp
    duration_ms: int


class NodeSkipped(Event):
    extension: ClassVar[bool] = True

    type: Literal["node:skipped"] = "node:skipped"
    node_id: str
    node_name: str
    node_type: str


class NodeRetrying(Event):
    """An attempt that failed and will be repeated; ``interrupted`` says that no fault of the
    node's was the cause: the server that ran it stopped."""

    extension: ClassVar[bool] = True

    type: Literal["node:retrying"] = "node:retrying"
    node_id: str
    next_attempt: int
    delay_ms: int
    error: Prose
    error_code: str
    interrupted: bool = False


class NodeExpanded(Event):
    """A container node (loop, workflow) found out what it holds: one entry of ``scopes`` for each
    scope opened, with the names that scope adds (a loop's item and index, a workflow's inputs)."""

    extension: ClassVar[bool] = True

    type: Literal["node:expanded"] = "node:expanded"
    node_id: str
    scopes: list[dict[str, Any]]


class NodeLog(Event):
    extension: ClassVar[bool] = True

    type: Literal["node:log"] = "node:log"
    node_id: str
    level: LogLevel
    message: Prose


class Connected(Event):
    """Opens every stream; it is not in the log and has no number."""

    type: Literal["connected"] = "connected"
    status: Status
    last_event_id: int
    """The newest number in the log when the stream opened; 0 for an empty log."""


class UnknownEvent(Event):
    """An event of a type this version does not know; its fields are in ``model_extra``."""


LoggedEvent = (
    ExecutionStarted
    | ExecutionProgress
    | NodeStarted
    | NodeCompleted
    | NodeFailed
    | ExecutionCompleted
    | ExecutionFailed
    | ExecutionCancelled
    | NodeSkipped
    | NodeRetrying
    | NodeExpanded
    | NodeLog
)
"""Every event that a log can hold, told apart by ``type``."""

TerminalEvent = ExecutionCompleted | ExecutionFailed | ExecutionCancelled
