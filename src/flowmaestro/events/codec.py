"""Events to JSON and back: one JSON object on one line, UTF-8, as the log stores and streams it.

::

    EventCodecError
    ├── EventEncodeError   an event holds what JSON cannot
    └── EventDecodeError   a text is no event
"""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from flowmaestro.events._faults import MAX_DEPTH, MAX_INTEGER_DIGITS, find_fault
from flowmaestro.events.models import (
    Connected,
    Event,
    LoggedEvent,
    NodeCompleted,
    NodeExpanded,
    UnknownEvent,
)

# Built at first use: a command line that only prints its help should not wait for validators.
_ADAPTER_CONFIG: Final = ConfigDict(defer_build=True, hide_input_in_errors=True)

_LOGGED: Final[tuple[type[Event], ...]] = get_args(LoggedEvent)

EVENT_TYPES: Final[tuple[str, ...]] = tuple(event.model_fields["type"].default for event in _LOGGED)
"""The types a log can hold."""

TERMINAL_TYPES: Final = frozenset(
    event.model_fields["type"].default for event in _LOGGED if event.terminal
)
"""The types that end a log."""

EXTENSION_TYPES: Final = frozenset(
    event.model_fields["type"].default for event in _LOGGED if event.extension
)
"""The types that a stream sends only when ``?include=`` asks for them."""

LoggedEventAdapter: Final[TypeAdapter[LoggedEvent]] = TypeAdapter(
    Annotated[LoggedEvent, Field(discriminator="type")], config=_ADAPTER_CONFIG
)
"""Validates any logged event, told apart by ``type``."""

_KnownEventAdapter: Final[TypeAdapter[LoggedEvent | Connected]] = TypeAdapter(
    Annotated[LoggedEvent | Connected, Field(discriminator="type")], config=_ADAPTER_CONFIG
)

_KNOWN_TYPES: Final = frozenset({*EVENT_TYPES, Connected.model_fields["type"].default})

# In a shorter text no integer has more digits than Python reads back.
_SURELY_READABLE_CHARS: Final = MAX_INTEGER_DIGITS


class EventCodecError(ValueError):
    """The root of this module's errors."""


class EventEncodeError(EventCodecError):
    """An event holds a value that JSON cannot.

    ``type`` is the event's type, ``path`` the place of the value (``outputs.items[3]``, empty if
    unknown), ``reason`` what is wrong with it. The value itself is not told: it may be a secret.
    """

    def __init__(self, type: str, path: str, reason: str) -> None:  # noqa: A002
        self.type = type
        self.path = path
        self.reason = reason
        super().__init__(f"{type} cannot be written as JSON: {path or 'the event'} {reason}")


class EventDecodeError(EventCodecError):
    """A text is no event.

    ``type`` is the event's type as far as it is known, ``field`` the field that is missing or
    wrong (``None``: the text is no JSON object), ``reason`` what is wrong with it. The text itself
    is not told: it may hold a secret.
    """

    def __init__(self, type: str | None, field: str | None, reason: str) -> None:  # noqa: A002
        self.type = type
        self.field = field
        self.reason = reason
        what = f"malformed {type} event" if type else "malformed event"
        super().__init__(f"{what}: {field}: {reason}" if field else f"{what}: {reason}")


def encode_event(event: Event) -> str:
    """Return *event* as one JSON object on one line; its number is left out.

    Text stays as it is (``é``, not ``\\u00e9``). Whatever this returns, :func:`decode_event` reads.

    Raises:
        EventEncodeError: the event holds NaN or Infinity, a lone surrogate, an integer of more
            than 4,300 digits, more than about 200 levels, or an object that has no JSON.
    """
    try:
        text: str = event.__pydantic_serializer__.to_json(event).decode()
        if _may_be_unreadable(text):
            from_json(text, allow_inf_nan=False)
    except ValueError as error:
        path, reason = find_fault(event) or ("", f"is not JSON: {error}")
        raise EventEncodeError(event.type, path, reason) from error
    return text


def content_bytes(event: Event, data: str) -> int:
    """Return how large the outputs of a ``node:completed`` or the scopes of a ``node:expanded`` are
    in *data*, the event's JSON: UTF-8 bytes; 0 for other events.

    It looks for the keys around them, which costs nothing that grows with them. A key's quotes
    cannot be within a string, and the fields before and after hold no objects.
    """
    if isinstance(event, NodeCompleted):
        start = data.find('"outputs":') + len('"outputs":')
        end = data.rfind(',"attempt":')
    elif isinstance(event, NodeExpanded):
        start = data.find('"scopes":') + len('"scopes":')
        end = len(data) - 1
    else:
        return 0
    return end - start if data.isascii() else len(data[start:end].encode())


def decode_event(
    data: str | bytes, number: int | None = None
) -> LoggedEvent | Connected | UnknownEvent:
    """Return the event that *data*, one JSON object, stands for.

    Args:
        data: JSON text, or its UTF-8 bytes.
        number: the event's place in its log, which its data does not hold.

    Returns:
        An event of its type's class; fields that the class does not know are in ``model_extra``.
        A type that this version does not know becomes an :class:`UnknownEvent`.

    Raises:
        EventDecodeError: *data* is no JSON object, or a field is missing or of the wrong type.
    """
    try:
        if _may_be_non_finite(data):
            from_json(data, allow_inf_nan=False)
        event = _decode_known(data)
    except ValidationError as error:
        raise _decode_error(error) from error
    except ValueError as error:
        raise EventDecodeError(None, None, f"no JSON: {error}") from error
    # Frozen is for those who get it; a copy would cost as much as the parsing did.
    object.__setattr__(event, "number", number)
    return event


def _decode_known(data: str | bytes) -> LoggedEvent | Connected | UnknownEvent:
    try:
        return _KnownEventAdapter.validate_json(data)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] != "union_tag_invalid":
            raise
    return UnknownEvent.model_validate_json(data)


def _may_be_unreadable(text: str) -> bool:
    """Whether it takes a second look to know that a reader can read *text*: seldom."""
    if "NaN" in text or "Infinity" in text:
        return True
    if len(text) <= 2 * MAX_DEPTH:
        return False
    return len(text) >= _SURELY_READABLE_CHARS or text.count("[") + text.count("{") > MAX_DEPTH


def _may_be_non_finite(data: str | bytes) -> bool:
    # Ordinary text can hold both words too.
    if isinstance(data, str):
        return "NaN" in data or "Infinity" in data
    return b"NaN" in data or b"Infinity" in data


def _decode_error(error: ValidationError) -> EventDecodeError:
    problem: Any = error.errors(include_url=False, include_input=False)[0]
    place: list[Any] = list(problem["loc"])
    # The union puts the event's type before the field's name.
    event_type = place.pop(0) if place[:1] and place[0] in _KNOWN_TYPES else None
    if problem["type"] == "union_tag_not_found":
        return EventDecodeError(None, "type", "Field required")
    return EventDecodeError(event_type, str(place[0]) if place else None, problem["msg"])
