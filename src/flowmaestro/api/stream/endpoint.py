"""``GET /executions/{id}/events``: the one resource, as a stream or as a page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from flowmaestro.api.errors import ApiError, invalid_field, unavailable
from flowmaestro.api.responses import meta
from flowmaestro.api.stream.query import JSON, NDJSON, EventsQuery, parse_query
from flowmaestro.api.stream.response import (
    STREAM_HEADERS,
    HeadersOnly,
    StreamResponse,
    wait_disconnected,
)
from flowmaestro.events import Connected
from flowmaestro.storage import Execution, LogHead
from flowmaestro.streaming import (
    JSON_LINES,
    SERVER_SENT_EVENTS,
    EventPage,
    Hub,
    HubClosed,
    Reader,
    View,
    read_events,
    wait_for_events,
)

_PAGE_HEADERS = MappingProxyType({"Cache-Control": "no-store", "Vary": "Accept"})


class StreamServices(Protocol):
    """What the resource needs."""

    @property
    def hub(self) -> Hub: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...


async def stream_events(
    request: Request, execution: Execution, services: StreamServices
) -> Response:
    """Answer a GET or HEAD request for the events of *execution*, which the caller may see.

    Returns:
        A stream (``text/event-stream``, ``application/x-ndjson``), a page (``application/json``),
        or 204 when the cursor is at the end of a log that has ended: nothing will come.

    Raises:
        ApiError: ``validation_error``, ``not_acceptable``, ``cursor_expired``, and
            ``service_unavailable`` while the server shuts down.
        StorageError: the log could not be read.
    """
    query = parse_query(request)
    try:
        if query.media_type == JSON:
            return await _page(request, execution.id, query, services.hub)
        return await _stream(request, execution.id, query, services)
    except HubClosed as error:
        raise unavailable(
            "The server is shutting down; reconnect, and go on from your cursor.",
            retry_after_seconds=1,
        ) from error


async def _stream(
    request: Request, execution_id: str, query: EventsQuery, services: StreamServices
) -> Response:
    hub = services.hub
    if request.method == "HEAD":
        head = await hub.log.head(execution_id)
        if _at_end(query, head):
            return Response(status_code=204, headers=_PAGE_HEADERS)
        return HeadersOnly(media_type=query.media_type, headers=STREAM_HEADERS)

    view = View(JSON_LINES if query.media_type == NDJSON else SERVER_SENT_EVENTS, query.visible)
    reader = Reader(hub, execution_id, view, cursor=query.cursor)
    head = await reader.open()
    try:
        if _at_end(query, head):
            reader.close()
            return Response(status_code=204, headers=_PAGE_HEADERS)
        connected = Connected(
            execution_id=execution_id,
            timestamp=services.clock(),
            status=head.status,
            last_event_id=head.last_number,
        )
        opening = view.format.opening(connected, hub.retry_ms())
        return StreamResponse(reader, opening, media_type=query.media_type)
    except BaseException:
        reader.close()
        raise


async def _page(request: Request, execution_id: str, query: EventsQuery, hub: Hub) -> Response:
    head = await hub.log.head(execution_id)
    at_end = _at_end(query, head)
    if request.method == "HEAD":
        return HeadersOnly(media_type=JSON, headers=_PAGE_HEADERS)
    if at_end:
        page = EventPage([], head.last_number, done=True)
    elif query.wait_seconds == 0:
        page = await read_events(
            hub, execution_id, after=query.cursor, limit=query.limit, visible=query.visible
        )
    else:
        found = await _long_poll(request, execution_id, query, hub)
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
    request: Request, execution_id: str, query: EventsQuery, hub: Hub
) -> EventPage | None:
    """Return the page, ``None`` if the client went away first."""
    polling = asyncio.ensure_future(
        wait_for_events(
            hub,
            execution_id,
            after=query.cursor,
            limit=query.limit,
            visible=query.visible,
            wait_seconds=query.wait_seconds,
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
