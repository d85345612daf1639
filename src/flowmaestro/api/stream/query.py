"""What a request for an execution's events asks for, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from flowmaestro.api.errors import ApiError, invalid_field
from flowmaestro.api.stream.accept import choose
from flowmaestro.events import EVENT_TYPES, EXTENSION_TYPES, InvalidCursor, parse_cursor
from flowmaestro.streaming import visible_types

EVENT_STREAM: Final = "text/event-stream"
NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"
OFFERED: Final = (EVENT_STREAM, NDJSON, JSON)
"""The media types of the resource, the preferred one first."""

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
MAX_WAIT_SECONDS: Final = 60.0

CURSOR_PARAMETERS: Final = ("lastEventId", "last_event_id")
"""The cursor where headers cannot be set, the one that wins first."""

# `connected` opens every stream, asked for or not; naming it with the others does no harm.
_SELECTABLE: Final = ("connected", *EVENT_TYPES)
_SECONDS: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsQuery:
    """A checked request."""

    media_type: str
    """One of :data:`OFFERED`; JSON is a finite page, the others are streams."""
    cursor: int
    """The number of the last event that the caller has; 0 for none."""
    cursor_field: str
    """Where the cursor came from, for an error about it."""
    visible: frozenset[str]
    limit: int = DEFAULT_LIMIT
    """The most events of a page."""
    wait_seconds: float = 0.0
    """How long a page may wait for its first event."""


def parse_query(request: Request) -> EventsQuery:
    """Return what *request* asks for.

    Raises:
        ApiError: ``validation_error`` or ``not_acceptable``, saying what is allowed.
    """
    cursor, cursor_field = _cursor(request)
    media_type = _media_type(request)
    if media_type != JSON:
        for name in ("limit", "wait"):
            if name in request.query_params:
                raise invalid_field(
                    f"query.{name}",
                    f"`{name}` is for pages: ask for one with `Accept: application/json` or "
                    "`?follow=false`, or leave it out.",
                )
    return EventsQuery(
        media_type=media_type,
        cursor=cursor,
        cursor_field=cursor_field,
        visible=_visible(request),
        limit=_limit(request),
        wait_seconds=_wait_seconds(request),
    )


def _cursor(request: Request) -> tuple[int, str]:
    # The header wins: on reconnecting an EventSource sends it to the URL it first used, whose
    # query parameter is out of date by then. Polyfills add `lastEventId` to that URL.
    field, text = "header.Last-Event-ID", request.headers.get("last-event-id")
    for name in CURSOR_PARAMETERS:
        if text is None:
            field, text = f"query.{name}", request.query_params.get(name)
    if text is None:
        return 0, field
    try:
        return parse_cursor(text), field
    except InvalidCursor as error:
        raise invalid_field(field, f"{error}.") from error


def _media_type(request: Request) -> str:
    follow = request.query_params.get("follow")
    if follow not in (None, "true", "false"):
        raise invalid_field("query.follow", "`follow` is true or false.", allowed=["true", "false"])
    if follow == "false":
        return JSON
    chosen = choose(",".join(request.headers.getlist("accept")), OFFERED)
    if chosen is None:
        raise ApiError(
            "not_acceptable",
            f"Events come as {', '.join(OFFERED)}; the Accept header allows none of these.",
            {"field": "header.Accept", "allowed": list(OFFERED)},
        )
    return chosen


def _visible(request: Request) -> frozenset[str]:
    include = _names(request, "include", sorted(EXTENSION_TYPES)) or []
    types = _names(request, "types", _SELECTABLE)
    for name in types or ():
        if name in EXTENSION_TYPES and name not in include:
            raise invalid_field(
                "query.types",
                f"{name} is off by default: turn it on with `include={name}`.",
                allowed=[*(name for name in _SELECTABLE if name not in EXTENSION_TYPES), *include],
            )
    return visible_types(types, include)


def _names(request: Request, parameter: str, allowed: Collection[str]) -> list[str] | None:
    values = request.query_params.getlist(parameter)
    if not values:
        return None
    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        if name not in allowed:
            raise invalid_field(
                f"query.{parameter}",
                f"`{parameter}` names the event type {name[:100]!r}, which is none of: "
                f"{', '.join(allowed)}.",
                allowed=list(allowed),
            )
    return names


def _limit(request: Request) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    number = int(text) if len(text) <= 9 and text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MAX_LIMIT:
        raise invalid_field(
            "query.limit",
            f"`limit` is a whole number from 1 to {MAX_LIMIT}.",
            allowed={"minimum": 1, "maximum": MAX_LIMIT},
        )
    return number


def _wait_seconds(request: Request) -> float:
    text = request.query_params.get("wait")
    if text is None:
        return 0.0
    seconds = float(text) if _SECONDS.fullmatch(text) else math.nan
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise invalid_field(
            "query.wait",
            f"`wait` is a number of seconds from 0 to {MAX_WAIT_SECONDS:.0f}.",
            allowed={"minimum": 0, "maximum": MAX_WAIT_SECONDS},
        )
    return seconds
