"""``GET /executions/{id}/events``: the one resource, as a stream or as a page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from flowmaestro.api.errors import ApiError, invalid_field, unavailable
from flowmaestro.api.middleware.admission import leave_admission
from flowmaestro.api.responses import meta
from flowmaestro.api.stream.query import JSON, NDJSON, EventsQuery, parse_query
from flowmaestro.api.stream.response import (
    STREAM_HEADERS,
    HeadersOnly,
    StreamRequest,
    StreamResponse,
    wait_disconnected,
)
from flowmaestro.events import Connected
from flowmaestro.storage import LogHead, UnknownExecution
from flowmaestro.streaming import (
    JSON_LINES,
    SERVER_SENT_EVENTS,
    EventPage,
    Hub,
    HubClosed,
    Lane,
    Opening,
    TooManyStreams,
    Topic,
    View,
    read_events,
    wait_for_events,
)

TOO_MANY_STREAMS_RETRY_SECONDS = 5

_PAGE_HEADERS = MappingProxyType({"Cache-Control": "no-store", "Vary": "Accept"})


class StreamServices(Protocol):
    """What the resource needs."""

    @property
    def hub(self) -> Hub: ...

    @property
    def lane(self) -> Lane: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an execution's events."""

    workspace: str
    """Another workspace's executions are unknown to them."""
    owner: str
    """Whom a stream is counted for: the id of their key."""


async def stream_events(
    request: Request, execution_id: str, asker: Asker, services: StreamServices
) -> Response:
    """Answer a GET or HEAD request for the events of an execution.

    Returns:
        A stream (``text/event-stream``, ``application/x-ndjson``), a page (``application/json``),
        or 204 when the cursor is at the end of a log that has ended: nothing will come.

    Raises:
        ApiError: ``validation_error``, ``not_acceptable``, ``cursor_expired``,
            ``rate_limit_exceeded`` when the asker has as many streams open as it may, and
            ``service_unavailable`` when the server has, or shuts down.
        UnknownExecution: there is no such execution in the asker's workspace.
        StorageError: the log could not be read.
    """
    query = parse_query(request)
    hub = services.hub
    try:
        topic = hub.follow(execution_id)
        try:
            head = await topic.head(at_least=query.cursor)
            if head.workspace != asker.workspace:
                raise UnknownExecution(execution_id)
            if query.media_type == JSON:
                return await _page(request, query, head, asker.owner, hub)
            if _at_end(query, head):
                return Response(status_code=204, headers=_PAGE_HEADERS)
            if request.method == "HEAD":
                return HeadersOnly(media_type=query.media_type, headers=STREAM_HEADERS)
            return _stream(query, topic, head, asker.owner, services)
        finally:
            topic.release()
    except HubClosed as error:
        raise unavailable(
            "The server is shutting down; reconnect, and go on from your cursor.",
            retry_after_seconds=1,
        ) from error
    except TooManyStreams as error:
        raise _too_many(error) from error


def _stream(
    query: EventsQuery, topic: Topic, head: LogHead, owner: str, services: StreamServices
) -> Response:
    hub = services.hub
    view = View(JSON_LINES if query.media_type == NDJSON else SERVER_SENT_EVENTS, query.visible)
    connected = Connected(
        execution_id=head.execution_id,
        timestamp=services.clock(),
        status=head.status,
        last_event_id=head.last_number,
    )
    opening = Opening(view.format.opening(connected, hub.retry_ms()), query.cursor, owner)
    hub.admission.enter(owner)
    # From here on it is the response's to release the topic and to let the owner leave.
    stream = StreamRequest(topic.hold(), view, opening)
    return StreamResponse(hub, services.lane, stream, media_type=query.media_type)


def _too_many(error: TooManyStreams) -> ApiError:
    if not error.of_owner:
        return unavailable(f"The server has {error.limit} streams open and takes no more just now.")
    seconds = TOO_MANY_STREAMS_RETRY_SECONDS
    return ApiError(
        "rate_limit_exceeded",
        f"This key has {error.limit} streams open, which is as many as it may: close one first.",
        {"limit": error.limit, "window": "open streams", "retry_after_seconds": seconds},
        headers={"Retry-After": str(seconds)},
    )


async def _page(
    request: Request, query: EventsQuery, head: LogHead, owner: str, hub: Hub
) -> Response:
    at_end = _at_end(query, head)
    if request.method == "HEAD":
        return HeadersOnly(media_type=JSON, headers=_PAGE_HEADERS)
    if at_end:
        page = EventPage([], head.last_number, done=True)
    elif query.wait_seconds == 0:
        page = await read_events(
            hub, head.execution_id, after=query.cursor, limit=query.limit, visible=query.visible
        )
    else:
        found = await _long_poll(request, head.execution_id, query, owner, hub)
        if found is None:
            return Response(status_code=204)  # nobody is there to see it
        page = found
    # The events are JSON already; parsing them to write them again would cost far more.
    body = b'{"data":[%b],"next_cursor":%d,"done":%b,"meta":%b}' % (
        ",".join(page.events).encode(),
        page.next_cursor,
        b"true" if page.done else b"false",
        to_json(meta(request.scope)),
    )
    return Response(body, headers=_PAGE_HEADERS, media_type=JSON)


async def _long_poll(
    request: Request, execution_id: str, query: EventsQuery, owner: str, hub: Hub
) -> EventPage | None:
    """Return the page, ``None`` if the client went away first."""
    leave_admission(request.scope)  # it enters the hub's
    polling = asyncio.ensure_future(
        wait_for_events(
            hub,
            execution_id,
            after=query.cursor,
            limit=query.limit,
            visible=query.visible,
            wait_seconds=query.wait_seconds,
            owner=owner,
        )
    )
    disconnected = asyncio.ensure_future(wait_disconnected(request.receive))
    try:
        await asyncio.wait((polling, disconnected), return_when=asyncio.FIRST_COMPLETED)
        return polling.result() if polling.done() else None
    finally:
        polling.cancel()
        disconnected.cancel()


def _at_end(query: EventsQuery, head: LogHead) -> bool:
    """Return whether nothing will ever come after the cursor, after checking that it makes sense.

    Raises:
        ApiError: the cursor is past a log that goes on, or before what is retained.
    """
    if head.ended and query.cursor >= head.last_number:
        return True
    if query.cursor > head.last_number:
        raise invalid_field(
            query.cursor_field,
            f"The cursor {query.cursor} is past the newest event, which is number "
            f"{head.last_number}.",
            allowed={"minimum": head.trimmed_through, "maximum": head.last_number},
        )
    if query.cursor < head.trimmed_through:
        kept = head.trimmed_through < head.last_number
        oldest = head.trimmed_through + 1 if kept else None
        message = f"The events after number {query.cursor} are no longer all retained; " + (
            f"the oldest one that is has number {oldest}: to go on without those before it, send "
            f"the cursor {head.trimmed_through}."
            if kept
            else "none of this execution's are."
        )
        raise ApiError(
            "cursor_expired",
            message,
            {"oldest_available": oldest, "trimmed_through": head.trimmed_through},
        )
    return False
