"""The reconnect policy against a server that does everything wrong but lose its log."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.client.errors import (
    APIError,
    ConnectionFailed,
    DeadlineExceeded,
    RequestTimeout,
    ServiceUnavailable,
    StreamInterrupted,
    StreamProtocolError,
    StreamStalled,
    TransportError,
)
from flowmaestro.client.resume import (
    Action,
    Deliver,
    Head,
    Open,
    Read,
    Reconnecting,
    Reply,
    ResumeOptions,
    Resumption,
)
from flowmaestro.events import HEARTBEAT, LoggedEvent
from tests.support.recorded_events import (
    completed,
    frames,
    node_completed,
    node_started,
    opening,
    started,
)

EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8"}
BROKEN = ConnectionFailed("broke")
REFUSED = ConnectionFailed("refused", sent=False)
SILENT = RequestTimeout("silent")


@lru_cache
def example_log() -> list[LoggedEvent]:
    nodes = [
        event
        for name in ("größe", "世界", "🎉")
        for event in (node_started(name), node_completed(name, outputs={"text": name * 3}))
    ]
    return [started(3), *nodes, completed()]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Driver:
    """Drives a resumption; the test plays the server."""

    options: ResumeOptions = field(default_factory=ResumeOptions)
    last_event_id: int = 0
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.resumption = Resumption(
            self.options,
            last_event_id=self.last_event_id,
            clock=self.clock,
            random=lambda: 0.5,
        )
        self.actions = self.resumption.run()
        self.numbers: list[int | None] = []

    def send(self, reply: Reply = None) -> Action | None:
        """Send *reply* and return the next action that needs one; ``None`` at the end."""
        try:
            action = self.actions.send(reply)
            while isinstance(action, Deliver):
                self.numbers.append(action.event.number)
                action = self.actions.send(None)
        except StopIteration:
            return None
        return action

    def reconnect(self, *replies: Reply) -> Reconnecting:
        """Send *replies* and return the wait that follows the last one."""
        action = None
        for reply in replies:
            action = self.send(reply)
        assert isinstance(action, Reconnecting)
        return action


# What a server may do with one connection: refuse it, answer 503, or send the log from a little
# before the cursor, cut into chunks anywhere, and break off anywhere.
@dataclass(frozen=True)
class Connection:
    refused: bool
    unavailable: bool
    overlap: int
    repeats: int
    keep: float
    """How much of the bytes arrive."""
    chunk_bytes: int
    ending: bytes | TransportError


connections = st.builds(
    Connection,
    refused=st.sampled_from([False, False, False, True]),
    unavailable=st.sampled_from([False, False, False, True]),
    overlap=st.integers(0, 4),
    repeats=st.integers(1, 3),
    keep=st.floats(0, 1),
    chunk_bytes=st.integers(1, 400),
    ending=st.sampled_from([b"", BROKEN, SILENT]),
)


@given(
    script=st.lists(connections, max_size=12),
    chunk_bytes=st.integers(1, 400),
    cursor=st.integers(0, 7),
)
def test_each_number_comes_once_and_in_order_whatever_happens(
    script: list[Connection], chunk_bytes: int, cursor: int
) -> None:
    log = example_log()
    last = Connection(False, False, 0, 1, 1, chunk_bytes, b"")
    driver = Driver(last_event_id=cursor)
    action = driver.send()
    for connection in [*script, last]:
        while isinstance(action, Reconnecting):
            action = driver.send()
        if action is None:
            break
        assert isinstance(action, Open)
        assert action.last_event_id == driver.resumption.last_event_id
        if connection.refused:
            action = driver.send(BROKEN)
            continue
        if connection.unavailable:
            action = driver.send(Head(503, {}))
            action = driver.send(b"")
            continue
        action = driver.send(Head(200, EVENT_STREAM))
        after = max(0, driver.resumption.last_event_id - connection.overlap)
        sent = [frame * connection.repeats for frame in frames(log, after)]
        data = b"".join([opening(log), HEARTBEAT, *sent])
        data = data[: round(len(data) * connection.keep)]
        for start in range(0, len(data), connection.chunk_bytes):
            if action is None:
                break
            assert isinstance(action, Read)
            action = driver.send(data[start : start + connection.chunk_bytes])
        if action is not None:
            action = driver.send(connection.ending)
    assert action is None
    assert driver.numbers == list(range(cursor + 1, len(log) + 1))


def test_characters_may_be_cut_at_every_byte() -> None:
    log = example_log()
    data = b"".join([opening(log), *frames(log)])
    for position in range(len(data) + 1):
        driver = Driver()
        driver.send()
        action = driver.send(Head(200, EVENT_STREAM))
        for piece in filter(None, (data[:position], data[position:])):
            action = driver.send(piece)
        assert action is None
        assert driver.numbers == list(range(1, len(log) + 1))


def test_events_carry_their_number_and_their_data() -> None:
    log = example_log()
    driver = Driver()
    driver.send()
    driver.send(Head(200, EVENT_STREAM))
    actions = driver.actions
    action = actions.send(b"".join(frames(log)))
    events = []
    while isinstance(action, Deliver):
        events.append(action.event)
        try:
            action = actions.send(None)
        except StopIteration:
            break
    assert [event.number for event in events] == list(range(1, len(log) + 1))
    assert [event.model_dump() for event in events] == [event.model_dump() for event in log]


def test_a_wrong_address_is_not_waited_for() -> None:
    driver = Driver(ResumeOptions(max_first_reconnects=3))
    driver.send()
    for _ in range(3):
        driver.reconnect(REFUSED)
        driver.send()
    with pytest.raises(ConnectionFailed):
        driver.send(REFUSED)


def test_a_server_that_answered_once_is_waited_for_without_end() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(503, {}))
    driver.reconnect(b"")
    for _ in range(1000):
        assert isinstance(driver.send(), Open)
        assert driver.reconnect(REFUSED).delay_seconds <= 30


def test_max_reconnects_limits_those_in_a_row_without_an_event() -> None:
    log = example_log()
    driver = Driver(ResumeOptions(max_reconnects=2))
    driver.send()
    for number in range(1, 4):
        driver.reconnect(BROKEN)
        driver.send()
        driver.reconnect(Head(200, EVENT_STREAM), frames(log)[number - 1], b"")
        driver.send()
    driver.reconnect(BROKEN)
    driver.send()
    with pytest.raises(ConnectionFailed):
        driver.send(BROKEN)


@pytest.mark.parametrize(
    ("ending", "expected"), [(b"", StreamInterrupted), (SILENT, StreamStalled)]
)
def test_used_up_reconnects_say_how_the_stream_ended(
    ending: Reply, expected: type[Exception]
) -> None:
    driver = Driver(ResumeOptions(max_reconnects=0))
    driver.send()
    driver.send(Head(200, EVENT_STREAM))
    driver.send(frames(example_log())[0])
    with pytest.raises(expected) as caught:
        driver.send(ending)
    assert caught.value.last_event_id == 1  # type: ignore[attr-defined]


def test_a_quiet_connection_that_lives_is_progress() -> None:
    driver = Driver()
    driver.send()
    for _ in range(3):
        driver.reconnect(BROKEN)
        driver.send()
    driver.send(Head(200, EVENT_STREAM))
    driver.clock.now += 60
    driver.send(HEARTBEAT)
    assert driver.reconnect(b"").delay_seconds <= 0.5


def test_a_retry_of_zero_does_not_become_a_loop_without_pauses() -> None:
    driver = Driver()
    driver.send()
    waits = []
    for _ in range(8):
        driver.send(Head(200, EVENT_STREAM))
        waits.append(driver.reconnect(b"retry: 0\n\n", b"").delay_seconds)
        driver.send()
    assert waits[0] == 0
    assert all(wait > 0.05 for wait in waits[1:])
    assert waits[-1] > 1


def test_a_retry_of_centuries_is_cut_to_the_longest_backoff() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(200, EVENT_STREAM))
    assert driver.reconnect(b"retry: 9007199254740991\n\n", b"").delay_seconds <= 30


def test_a_retry_after_of_hours_raises_the_servers_error() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(503, {"retry-after": "7200"}))
    with pytest.raises(ServiceUnavailable) as caught:
        driver.send(b"")
    assert caught.value.retry_after_seconds == 7200


def test_an_event_over_the_decoders_limit_raises_at_once_after_those_before_it() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(200, EVENT_STREAM))
    with pytest.raises(StreamProtocolError):
        driver.send(frames(example_log())[0] + b"data: " + b"x" * (17 * 1024 * 1024))
    assert driver.numbers == [1]


def test_the_deadline_holds_through_reconnects_and_names_what_was_in_the_way() -> None:
    driver = Driver(ResumeOptions(timeout_seconds=10))
    action = driver.send()
    assert isinstance(action, Open)
    assert action.timeout_seconds == 10
    driver.clock.now = 9.9
    assert driver.reconnect(BROKEN).delay_seconds <= 0.11
    driver.clock.now = 10.1
    with pytest.raises(DeadlineExceeded) as caught:
        driver.send()
    assert caught.value.__cause__ is BROKEN
    assert isinstance(caught.value, TimeoutError)


def test_silence_at_the_deadline_is_the_deadline() -> None:
    driver = Driver(ResumeOptions(timeout_seconds=10))
    driver.send()
    action = driver.send(Head(200, EVENT_STREAM))
    assert action == Read(timeout_seconds=10)
    driver.clock.now = 10.0
    with pytest.raises(DeadlineExceeded):
        driver.send(SILENT)


def test_an_error_that_is_not_the_apis_still_raises_with_its_status() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(404, {"content-type": "text/html"}))
    driver.send(b"<h1>Not here</h1>")
    with pytest.raises(APIError) as caught:
        driver.send(b"")
    assert caught.value.status == 404


def test_an_error_whose_body_never_ends_is_not_read_to_its_end() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(404, {}))
    for _ in range(63):
        assert isinstance(driver.send(b"x" * 1024), Read)
    with pytest.raises(APIError):
        driver.send(b"x" * 1024)


def test_reconnecting_says_why_and_from_where() -> None:
    driver = Driver()
    driver.send()
    driver.send(Head(200, EVENT_STREAM))
    driver.send(frames(example_log())[0])
    waiting = driver.reconnect(BROKEN)
    assert waiting.reason is BROKEN
    assert waiting.last_event_id == 1
