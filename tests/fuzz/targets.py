"""What coverage-guided fuzzing runs: each target takes any bytes and raises if a property fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

from flowmaestro.api.keys import display_prefix, hash_key, key_environment
from flowmaestro.api.stream.accept import choose
from flowmaestro.api.stream.query import OFFERED
from flowmaestro.api.strict_json import InvalidJson, parse_json
from flowmaestro.api.tickets import InvalidTicket, parse_ticket, sign_ticket
from flowmaestro.events import (
    MAX_CURSOR,
    EventDecodeError,
    InvalidCursor,
    ServerSentEvent,
    SSEDecoder,
    SSEEventTooLarge,
    decode_event,
    encode_event,
    encode_frame,
    parse_cursor,
)
from flowmaestro.workflow import InvalidDefinition, parse_document
from flowmaestro.workflow.expressions import ExpressionError, compile_template
from flowmaestro.workflow.limits import Limits, RenderLimits
from tests.support.sse_reference import Outcome, reference

MAX_BYTES = 2_048
"""The longest input that is tried."""

_SMALL_EVENT_BYTES = 32
_KEY_HASH = hash_key("a key")
_DOCUMENT_LIMITS = Limits(max_bytes=MAX_BYTES, max_values=200, max_depth=20)
_RENDER_LIMITS = RenderLimits(max_steps=2_000, max_size=20_000, max_depth=20)
_NAMES = {"a": 1, "b": [1, "x", None], "c": {"a": {"b": 2.5}, "items": [3]}}


def sse_decoder(data: bytes) -> None:
    """A stream means what the standard says, however it is cut; the first byte says how."""
    step, stream = data[:1], data[1:]
    expected = reference(stream)
    assert _decode([stream]) == expected
    assert _decode(stream[at : at + 1] for at in range(len(stream))) == expected
    size = step[0] % 16 + 2 if step else 2
    bounds = [*range(0, len(stream), size), len(stream)]
    assert _decode(stream[start:end] for start, end in pairwise(bounds)) == expected
    _check_bound(stream, expected[0])


def sse_round_trip(data: bytes) -> None:
    """A frame that can be written is read as what was written."""
    kind, _, text = data.decode("utf-8", "replace").partition("\n")
    number = len(data)
    try:
        frame = encode_frame(number, kind, text)
    except ValueError:
        assert set("\r\n") & set(kind + text)
        return
    events, last_event_id, _ = _decode([frame])
    assert events == [ServerSentEvent(kind.removeprefix(" ") or "message", text, str(number))] or (
        text.startswith(" ") or kind.startswith(" ")
    )
    assert last_event_id == str(number)


def cursor(data: bytes) -> None:
    """A cursor is digits, and the number they write."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        number = parse_cursor(text)
    except InvalidCursor:
        return
    assert 0 <= number <= MAX_CURSOR
    assert str(number) == (text.lstrip("0") or "0")


def event_codec(data: bytes) -> None:
    """What is read as an event can be written, and is then read as the same."""
    try:
        event = decode_event(data)
    except EventDecodeError:
        return
    text = encode_event(event)
    assert "\n" not in text
    assert decode_event(text) == event


def ticket(data: bytes) -> None:
    """What is read as a ticket can be signed, and only with its key."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = parse_ticket(text)
    except InvalidTicket:
        return
    signed = sign_ticket(
        key_id=found.key_id,
        key_hash=_KEY_HASH,
        execution_id=found.execution_id,
        expires_at=found.expires_at,
    )
    again = parse_ticket(signed)
    assert again.is_signed_with(_KEY_HASH)
    assert not again.is_signed_with(hash_key("another key"))
    assert (again.key_id, again.execution_id) == (found.key_id, found.execution_id)
    assert not found.is_signed_with(_KEY_HASH) or text == signed


def key(data: bytes) -> None:
    """A key is told from other texts, and any text has a hash."""
    text = data.decode("utf-8", "surrogateescape")
    assert len(hash_key(text)) == 64
    environment = key_environment(text)
    assert environment is None or text.startswith(f"fm_{environment}_")
    assert len(display_prefix(text)) <= 12


def accept_header(data: bytes) -> None:
    """Whatever an Accept header says, one of the formats is chosen, or none."""
    assert choose(data.decode("latin-1"), OFFERED) in (*OFFERED, None)


def json_body(data: bytes) -> None:
    """What is taken as JSON is JSON, and is written as UTF-8."""
    try:
        value = parse_json(data)
    except InvalidJson:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def yaml_document(data: bytes) -> None:
    """What is taken as YAML is a JSON value within the limits, whatever its aliases stand for."""
    try:
        value = parse_document(data, "yaml", limits=_DOCUMENT_LIMITS)
    except InvalidDefinition:
        return
    assert _count(value) <= 2 * _DOCUMENT_LIMITS.max_values
    json.dumps(value, allow_nan=False)


def template(data: bytes) -> None:
    """A template has a JSON value, or an error that says why it has none."""
    text = data.decode("utf-8", "replace")
    try:
        value = compile_template(text).render(_NAMES, _RENDER_LIMITS)
    except ExpressionError:
        return
    json.dumps(value, allow_nan=False)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        sse_decoder,
        sse_round_trip,
        cursor,
        event_codec,
        ticket,
        key,
        accept_header,
        json_body,
        yaml_document,
        template,
    )
}
"""The targets by name; the folder of the same name in ``corpus`` holds where each begins."""


def _decode(chunks: Iterable[bytes]) -> Outcome:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder.last_event_id, decoder.retry_ms


def _check_bound(stream: bytes, expected: list[ServerSentEvent]) -> None:
    """A decoder with a limit holds no more than it, and tells the same events until it gives up."""
    decoder = SSEDecoder(max_event_bytes=_SMALL_EVENT_BYTES)
    events: list[ServerSentEvent] = []
    whole = True
    try:
        for at in range(len(stream)):
            events += decoder.feed(stream[at : at + 1])
            assert len(decoder._line) <= _SMALL_EVENT_BYTES
            assert sum(map(len, decoder._data)) <= _SMALL_EVENT_BYTES
    except SSEEventTooLarge as error:
        whole = False
        events += error.events
    assert events == (expected if whole else expected[: len(events)])


def _count(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_count, value.values()))
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1
