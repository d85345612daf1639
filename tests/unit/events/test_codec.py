import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro import events as package
from flowmaestro.events import (
    EVENT_TYPES,
    EXTENSION_TYPES,
    TERMINAL_TYPES,
    EventDecodeError,
    EventEncodeError,
    ExecutionProgress,
    LoggedEventAdapter,
    NodeCompleted,
    NodeExpanded,
    NodeFailed,
    UnknownEvent,
    content_bytes,
    decode_event,
    encode_event,
)
from tests.support.events_vectors import read_vectors

DOCUMENT = read_vectors("events")
EVENTS: list[dict[str, Any]] = DOCUMENT["events"]
MOMENT = datetime(2025, 3, 1, 12, tzinfo=UTC)


def completed(outputs: dict[str, Any], **more: Any) -> NodeCompleted:
    return NodeCompleted(
        execution_id="exec_01",
        timestamp=MOMENT,
        node_id="fetch",
        node_name="Fetch",
        node_type="http",
        outputs=outputs,
        attempt=1,
        duration_ms=5,
        completed_at=MOMENT,
        **more,
    )


def progress(value: float) -> ExecutionProgress:
    return ExecutionProgress(
        execution_id="exec_01",
        timestamp=MOMENT,
        progress=value,
        current_node=None,
        completed_nodes=1,
        total_nodes=4,
    )


def test_the_public_names_are_sorted_as_the_linter_sorts_and_all_there() -> None:
    constants = [name for name in package.__all__ if name.isupper()]
    classes = [name for name in package.__all__ if name[0].isupper() and not name.isupper()]
    functions = [name for name in package.__all__ if name.islower()]

    assert package.__all__ == sorted(constants) + sorted(classes) + sorted(functions)
    assert all(hasattr(package, name) for name in package.__all__)


def test_the_vectors_know_every_type_and_what_it_is() -> None:
    logged = [entry for entry in EVENTS if entry["logged"]]

    assert sorted(entry["type"] for entry in logged) == sorted(EVENT_TYPES)
    assert {entry["type"] for entry in logged if entry["terminal"]} == TERMINAL_TYPES
    assert {entry["type"] for entry in logged if entry["extension"]} == EXTENSION_TYPES
    assert [entry["type"] for entry in EVENTS if not entry["logged"]] == ["connected"]


@pytest.mark.parametrize("entry", EVENTS, ids=lambda entry: entry["type"])
class TestEventVector:
    def test_example_is_read_and_written_as_it_is(self, entry: dict[str, Any]) -> None:
        event = decode_event(entry["json"], 7)

        assert type(event) is not UnknownEvent
        assert event.number == 7
        assert event.model_extra == {}
        assert event.terminal is entry["terminal"]
        assert event.extension is entry["extension"]
        assert encode_event(event) == entry["json"]
        assert json.loads(entry["json"]) == entry["example"]
        assert decode_event(entry["json"].encode(), 7) == event

    def test_model_built_from_the_example_is_the_same(self, entry: dict[str, Any]) -> None:
        event = decode_event(entry["json"])

        assert type(event)(**entry["example"]) == event
        if entry["logged"]:
            assert LoggedEventAdapter.validate_python(entry["example"]) == event

    def test_each_required_field_is_missed_by_name(self, entry: dict[str, Any]) -> None:
        for field in entry["required"]:
            if entry["terminal"] and field == "status":
                continue
            rest = {name: value for name, value in entry["example"].items() if name != field}
            with pytest.raises(EventDecodeError) as caught:
                decode_event(json.dumps(rest))
            assert caught.value.field == field
            assert field in str(caught.value)

    def test_optional_fields_can_be_left_out(self, entry: dict[str, Any]) -> None:
        rest = {n: v for n, v in entry["example"].items() if n not in entry["optional"]}

        event = decode_event(json.dumps(rest))

        assert decode_event(encode_event(event)) == event

    def test_null_is_taken_where_the_vector_says_so_only(self, entry: dict[str, Any]) -> None:
        for field in entry["required"]:
            text = json.dumps(entry["example"] | {field: None})
            if field in entry["nullable"]:
                assert json.loads(encode_event(decode_event(text)))[field] is None
            else:
                with pytest.raises(EventDecodeError) as caught:
                    decode_event(text)
                assert caught.value.field in (field, "type")


@pytest.mark.parametrize("vector", DOCUMENT["kept"], ids=lambda vector: vector["name"])
def test_what_a_reader_does_not_know_survives(vector: dict[str, Any]) -> None:
    event = decode_event(vector["json"], 3)

    assert isinstance(event, UnknownEvent) is not vector["known"]
    assert event.number == 3
    assert event.model_extra
    assert json.loads(encode_event(event)) == json.loads(vector["json"])


@pytest.mark.parametrize("vector", DOCUMENT["invalid"], ids=lambda vector: vector["name"])
def test_what_is_no_event_is_refused_by_field(vector: dict[str, Any]) -> None:
    with pytest.raises(EventDecodeError) as caught:
        decode_event(vector["json"], 3)
    assert caught.value.field == vector["field"]


@pytest.mark.parametrize(
    "data", [b"\xff", b'{"type":"\xed\xa0\x80"}', '{"a":"\ud800"}', "\ufeff{}"]
)
def test_text_that_is_no_utf8_is_refused(data: str | bytes) -> None:
    with pytest.raises(EventDecodeError):
        decode_event(data)


@pytest.mark.parametrize("event_type", ["node:log", "node:delta"])
def test_a_decode_error_does_not_tell_the_data(event_type: str) -> None:
    with pytest.raises(EventDecodeError) as caught:
        decode_event(f'{{"type": "{event_type}", "execution_id": {{"password": "hunter2"}}}}')
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


def test_the_number_is_not_part_of_the_data() -> None:
    event = completed({}, number=7)

    assert "number" not in json.loads(encode_event(event))
    assert decode_event(encode_event(event)).number is None
    assert decode_event('{"number": 9, ' + encode_event(event)[1:], 7) == event


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(outputs=st.dictionaries(st.text(), json_values))
def test_outputs_come_back_as_they_were_on_one_line(outputs: dict[str, Any]) -> None:
    event = completed(outputs)

    text = encode_event(event)

    assert "\n" not in text
    assert "\r" not in text
    assert decode_event(text) == event
    assert json.loads(text)["outputs"] == outputs


misleading = st.text() | st.sampled_from(
    ['"outputs":{}', ',"attempt":1', '\\"outputs":', '"scopes":[]', "\\", '"}']
)


@given(
    outputs=st.dictionaries(misleading, json_values | misleading),
    name=misleading,
    handle=st.none() | misleading,
)
def test_the_size_of_outputs_is_what_they_have_in_the_event(
    outputs: dict[str, Any], name: str, handle: str | None
) -> None:
    event = completed(outputs, handle=handle).model_copy(update={"node_name": name})
    text = encode_event(event)
    nothing = encode_event(event.model_copy(update={"outputs": {}}))
    grown = len(text.encode()) - len(nothing.encode())
    assert content_bytes(event, text) == grown + len("{}")


@given(scopes=st.lists(st.dictionaries(misleading, json_values | misleading)), node_id=misleading)
def test_the_size_of_scopes_is_what_they_have_in_the_event(
    scopes: list[dict[str, Any]], node_id: str
) -> None:
    event = NodeExpanded(execution_id="e", timestamp=MOMENT, node_id=node_id, scopes=scopes)
    text = encode_event(event)
    nothing = encode_event(event.model_copy(update={"scopes": []}))
    grown = len(text.encode()) - len(nothing.encode())
    assert content_bytes(event, text) == grown + len("[]")


def test_other_events_have_no_content() -> None:
    event = ExecutionProgress(
        execution_id="e",
        timestamp=MOMENT,
        progress=50,
        current_node='"outputs":{}',
        completed_nodes=1,
        total_nodes=2,
    )
    assert content_bytes(event, encode_event(event)) == 0


def test_text_beyond_ascii_is_not_escaped() -> None:
    assert '"Gr\u00fc\u00dfe \u2028 \U0001f600"' in encode_event(
        completed({"text": "Gr\u00fc\u00dfe \u2028 \U0001f600"})
    )


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def holding_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("outputs", "path", "reason"),
    [
        ({"items": [1, 2, {"score": math.nan}]}, "outputs.items[2].score", "nan"),
        ({"v": math.inf}, "outputs.v", "inf"),
        ({"v": (0, -math.inf)}, "outputs.v[1]", "-inf"),
        ({"v": "a\ud800b"}, "outputs.v", "lone surrogate"),
        ({"v": {"\udfff": 1}}, "outputs.v", "lone surrogate"),
        ({"v": 10**4300}, "outputs.v", "digits"),
        ({"v": nested(250)}, "outputs.v", "deep"),
        ({"v": nested(5000)}, "outputs.v", "deep"),
        ({"v": holding_itself()}, "outputs.v", "holds itself"),
        ({"v": object()}, "", "object"),
        ({"v": b"\xff"}, "", "utf-8"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(
    outputs: dict[str, Any], path: str, reason: str
) -> None:
    with pytest.raises(EventEncodeError, match=reason) as caught:
        encode_event(completed(outputs))
    assert caught.value.type == "node:completed"
    assert caught.value.path.startswith(path)
    assert len(str(caught.value)) < 500


def test_fields_that_a_class_does_not_know_are_searched_too() -> None:
    with pytest.raises(EventEncodeError) as caught:
        encode_event(completed({}, region={"v": math.nan}))
    assert caught.value.path == "region.v"


@pytest.mark.parametrize(
    "outputs",
    [
        {"NaN": "Infinity and -Infinity"},
        {"v": 10**4299, "w": "x" * 5000},
        {"v": "[" * 500},
        {"v": nested(190)},
        {"v": [[] for _ in range(500)]},
    ],
)
def test_what_only_looks_unreadable_is_written_and_read(outputs: dict[str, Any]) -> None:
    event = completed(outputs)

    assert decode_event(encode_event(event)) == event


@given(levels=st.integers(150, 300))
def test_whatever_is_written_can_be_read(levels: int) -> None:
    event = completed({"v": nested(levels)})
    try:
        text = encode_event(event)
    except EventEncodeError:
        assert levels > 190
    else:
        assert encode_event(decode_event(text)) == text


@pytest.mark.parametrize(
    ("value", "written"), [(25, "25"), (25.0, "25"), (0.0, "0"), (100, "100"), (33.3, "33.3")]
)
def test_whole_progress_is_written_without_a_fraction(value: float, written: str) -> None:
    assert f'"progress":{written},' in encode_event(progress(value))


@pytest.mark.parametrize("value", [-0.1, 100.1, 101, math.nan, math.inf])
def test_progress_is_a_percentage(value: float) -> None:
    with pytest.raises(ValueError, match="progress"):
        progress(value)


def test_a_failure_can_be_told_whatever_text_it_came_with() -> None:
    event = NodeFailed(
        execution_id="exec_01",
        timestamp=MOMENT,
        node_id="read",
        node_name="Read",
        node_type="python",
        error="no such file: \udcff\U0001f600 \ud83d",
        error_code="node_error",
        attempt=1,
        duration_ms=1,
    )

    assert event.error == "no such file: \ufffd\U0001f600 \ufffd"
    assert decode_event(encode_event(event)) == event


def test_times_are_written_in_utc_to_the_millisecond_rounded_down() -> None:
    moment = datetime(2025, 3, 1, 14, 0, 0, 1999, tzinfo=timezone(timedelta(hours=2)))

    text = encode_event(completed({}).model_copy(update={"timestamp": moment}))

    assert '"timestamp":"2025-03-01T12:00:00.001Z"' in text


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone"):
        UnknownEvent(type="x", execution_id="exec_01", timestamp=datetime(2025, 3, 1))
