"""The parameters that several routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.requests import Request

from flowmaestro.api.auth import TICKET_PARAMETER, Caller, authorized
from flowmaestro.api.routes.table import header_parameter, query_parameter, require_known_parameters
from flowmaestro.api.services import ApiServices, services_of
from flowmaestro.api.stream.query import DEFAULT_LIMIT, MAX_LIMIT, MAX_WAIT_SECONDS
from flowmaestro.events import EVENT_TYPES, EXTENSION_TYPES, MAX_CURSOR

MAX_PAGE = 1_000_000
MAX_PER_PAGE = 100

PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE, description="From 1.")]
PerPage = Annotated[int, Query(ge=1, le=MAX_PER_PAGE, description="How many to return at most.")]


async def _services(request: Request) -> ApiServices:
    return services_of(request)  # FastAPI would call it in a thread, for each request


Services = Annotated[ApiServices, Depends(_services)]


async def admitted(request: Request) -> Caller:
    """Return who makes *request*, once it is known that they may and that its query is one that the
    route has. For endpoints that take the request alone; the others have :data:`Authorized`.

    Raises:
        ApiError: 401, 403, or ``validation_error`` for a query parameter that there is not.
    """
    caller = await authorized(request)
    require_known_parameters(request)
    return caller


Authorized = Annotated[Caller, Depends(admitted)]
"""Who calls, with the scopes that the table of routes demands, and with no query parameter that the
route does not have."""

_NUMBER = {"type": "integer", "minimum": 0, "maximum": MAX_CURSOR}


def _names(names: list[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": {"type": "string", "enum": names}}


EVENTS_PARAMETERS: list[dict[str, Any]] = [
    header_parameter(
        "Last-Event-ID",
        "The number of the last event received; the stream goes on after it.",
        pattern="^[0-9]{1,16}$",
    ),
    query_parameter(
        "last_event_id", "The same, where headers cannot be set; the header wins.", _NUMBER
    ),
    query_parameter(
        "lastEventId",
        "The same, as polyfills of `EventSource` add it on reconnecting; it wins over "
        "`last_event_id`.",
        _NUMBER,
    ),
    query_parameter(
        TICKET_PARAMETER, "A ticket for this execution, instead of a key.", {"type": "string"}
    ),
    query_parameter(
        "types",
        "Only these types of event, separated by commas; the terminal one always comes.",
        _names(sorted(EVENT_TYPES)),
    ),
    query_parameter(
        "include",
        "Extension events to turn on, separated by commas.",
        _names(sorted(EXTENSION_TYPES)),
    ),
    query_parameter(
        "follow", "`false`: a page instead of a stream.", {"type": "boolean", "default": True}
    ),
    query_parameter(
        "limit",
        "The most events of a page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    query_parameter(
        "wait",
        "How many seconds a page may wait for its first event.",
        {"type": "number", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0},
    ),
]
"""What the events' route reads by itself."""
