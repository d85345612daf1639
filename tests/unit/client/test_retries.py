"""Which requests are repeated, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowmaestro.client.answers import Answer
from flowmaestro.client.errors import (
    APIError,
    ConnectionFailed,
    FlowMaestroError,
    RateLimitExceeded,
    RequestTimeout,
)
from flowmaestro.client.options import ClientOptions
from flowmaestro.client.retries import Reply, Send, Wait, send_with_retries

OK = Answer(200, {}, b"{}")
REFUSED = ConnectionFailed("refused", sent=False)
BROKEN = ConnectionFailed("broke")
TIMED_OUT = RequestTimeout("too long")


def failed(status: int, retry_after: str | None = None) -> Answer:
    body: dict[str, Any] = {"error": {"code": "some_code", "message": "No.", "details": None}}
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Answer(status, headers, json.dumps(body).encode())


def run(
    replies: list[Answer | ConnectionFailed | RequestTimeout],
    *,
    repeatable: bool = True,
    max_retries: int = 3,
) -> tuple[Answer | FlowMaestroError, list[float]]:
    """Return what comes of *replies*, and the waits between them."""
    options = ClientOptions("key", "http://127.0.0.1/api/v1", max_retries=max_retries)
    steps = send_with_retries(options, repeatable=repeatable, random=lambda: 0.5)
    waits = []
    reply: Reply = None
    try:
        while True:
            match steps.send(reply):
                case Send():
                    reply = replies.pop(0)
                case Wait(seconds):
                    waits.append(seconds)
                    reply = None
    except StopIteration as finished:
        answer: Answer = finished.value
        return answer, waits
    except FlowMaestroError as error:
        return error, waits


@pytest.mark.parametrize(
    "first",
    [REFUSED, BROKEN, TIMED_OUT, failed(429), failed(502), failed(503), failed(504)],
    ids=str,
)
def test_what_is_safe_to_repeat_is_repeated(
    first: Answer | ConnectionFailed | RequestTimeout,
) -> None:
    assert run([first, OK])[0] is OK


@pytest.mark.parametrize("first", [REFUSED, failed(429)], ids=str)
def test_what_was_not_carried_out_is_repeated_whatever_it_is(
    first: Answer | ConnectionFailed | RequestTimeout,
) -> None:
    assert run([first, OK], repeatable=False)[0] is OK


@pytest.mark.parametrize("first", [BROKEN, TIMED_OUT, failed(502), failed(503)], ids=str)
def test_what_may_have_been_carried_out_is_not_repeated(
    first: Answer | ConnectionFailed | RequestTimeout,
) -> None:
    assert isinstance(run([first, OK], repeatable=False)[0], FlowMaestroError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 500])
def test_other_errors_are_raised_at_once(status: int) -> None:
    result, waits = run([failed(status), OK])
    assert isinstance(result, APIError)
    assert result.status == status
    assert waits == []


def test_the_last_error_is_raised_when_repeats_are_used_up() -> None:
    result, waits = run([REFUSED, REFUSED, BROKEN], max_retries=2)
    assert result is BROKEN
    assert waits == [0.375, 0.75]


def test_without_repeats_nothing_is_repeated() -> None:
    assert run([REFUSED, OK], max_retries=0)[0] is REFUSED


def test_retry_after_is_waited_for_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="flowmaestro.client.retries"):
        result, waits = run([failed(429, "7"), OK])
    assert result is OK
    assert waits == [7.375]
    assert caplog.messages[0].startswith("trying again in 7.4 s: ")


def test_a_retry_after_that_is_too_long_raises() -> None:
    result, waits = run([Answer(429, {"retry-after": "7200"}, b""), OK])
    assert isinstance(result, RateLimitExceeded)
    assert result.retry_after_seconds == 7200
    assert waits == []
