"""From answers to values and errors."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from flowmaestro.api.errors import STATUS_OF_CODE
from flowmaestro.client import errors
from flowmaestro.client.answers import Answer, read_error, read_page, read_resource
from flowmaestro.client.backoff import Backoff, parse_retry_after
from flowmaestro.client.errors import (
    ERROR_OF_CODE,
    APIError,
    CursorExpired,
    FlowMaestroError,
    ResourceNotFound,
    StreamStalled,
    UnexpectedResponse,
)
from flowmaestro.client.models import Execution, Workflow

EXECUTION = {
    "id": "exec_1",
    "workflow_id": "wf_1",
    "workflow_name": "Greet",
    "status": "running",
    "inputs": {"name": "Ada"},
    "outputs": None,
    "error": None,
    "error_details": None,
    "created_at": "2026-01-02T03:04:05.678Z",
    "started_at": None,
    "completed_at": None,
    "duration_ms": None,
}


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_resource_is_read_with_fields_of_a_newer_server() -> None:
    execution = read_resource(Execution, answer({"data": {**EXECUTION, "mood": "good"}}))
    assert execution.id == "exec_1"
    assert not execution.ended
    assert execution.model_extra == {"mood": "good"}


def test_a_page_is_read() -> None:
    pagination = {
        "page": 1,
        "per_page": 20,
        "total_count": 1,
        "total_pages": 1,
        "has_next": False,
        "has_prev": False,
        "has_more": False,
    }
    items, place = read_page(Execution, answer({"data": [EXECUTION], "pagination": pagination}))
    assert [item.id for item in items] == ["exec_1"]
    assert place.total_count == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"data": null}', b'{"data": {"id": 1}}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_answer_of_the_api_is_told(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match="base URL"):
        read_resource(Workflow, answer(body))


def test_each_code_of_the_api_has_a_class_of_its_own() -> None:
    assert set(ERROR_OF_CODE) == set(STATUS_OF_CODE)
    assert len(set(ERROR_OF_CODE.values())) == len(ERROR_OF_CODE)
    for code, status in STATUS_OF_CODE.items():
        body = {"error": {"code": code, "message": "No.", "details": {"a": 1}}}
        error = read_error(answer(body, status, **{"x-request-id": "req_7"}))
        assert type(error) is ERROR_OF_CODE[code]
        assert isinstance(error, APIError)
        assert (error.status, error.code, error.message) == (status, code, "No.")
        assert error.details == {"a": 1}
        assert error.request_id == "req_7"
        assert str(error) == f"No. ({status} {code}, req_7)"


def test_an_unknown_code_is_still_an_api_error() -> None:
    error = read_error(answer({"error": {"code": "teapot", "message": "Short."}}, 418))
    assert type(error) is APIError
    assert error.code == "teapot"


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Gateway</h1>", b'{"error": "no"}', b"null"])
def test_an_error_of_a_proxy_keeps_its_status(body: bytes) -> None:
    error = read_error(Answer(502, {}, body))
    assert isinstance(error, APIError)
    assert (error.status, error.code) == (502, "http_502")


def test_a_proxys_410_is_an_expired_cursor() -> None:
    assert isinstance(read_error(Answer(410, {}, b"")), CursorExpired)


def test_a_redirect_is_not_followed_but_told() -> None:
    assert isinstance(read_error(Answer(302, {"location": "/"}, b"")), UnexpectedResponse)


def test_errors_survive_pickling() -> None:
    api_error = ResourceNotFound(404, "resource_not_found", "No.", details={"id": "x"})
    stalled = StreamStalled("Silence.", last_event_id=7)
    for error in (api_error, stalled, UnexpectedResponse("Odd.", status=200)):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_the_tree_in_the_modules_text_is_the_tree() -> None:
    drawn = {
        line.split("──")[1].split()[0]
        for line in (errors.__doc__ or "").splitlines()
        if "──" in line
    }
    defined = {
        value.__name__
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, FlowMaestroError)
    }
    assert drawn == defined - {"FlowMaestroError"}


def test_backoff_doubles_to_its_maximum_with_jitter() -> None:
    backoff = Backoff()
    assert [backoff.delay_seconds(n, lambda: 1.0) for n in range(8)] == [
        0.5, 1, 2, 4, 8, 16, 30, 30,
    ]  # fmt: skip
    assert [backoff.delay_seconds(n, lambda: 0.0) for n in range(3)] == [0.25, 0.5, 1]
    assert backoff.delay_seconds(10**6, lambda: 1.0) == 30


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9" * 5000, 999_999_999_999),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now_seconds=10) == seconds
