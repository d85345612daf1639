"""From an HTTP answer to the value it stands for, or to the error."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pydantic

from flowmaestro.client.backoff import parse_retry_after
from flowmaestro.client.errors import (
    ERROR_OF_CODE,
    APIError,
    FlowMaestroError,
    UnexpectedResponse,
)
from flowmaestro.client.models import Pagination, Resource

Kind = TypeVar("Kind", bound=Resource)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300


def read_resource(kind: type[Kind], answer: Answer) -> Kind:
    """Return the resource that a successful *answer* holds as ``data``.

    Raises:
        UnexpectedResponse: it holds none.
    """
    return _validate(kind, _envelope(answer).get("data"), answer)


def read_page(kind: type[Kind], answer: Answer) -> tuple[tuple[Kind, ...], Pagination]:
    """Return the items and the place of the page that a successful *answer* holds.

    Raises:
        UnexpectedResponse: it holds no page.
    """
    envelope = _envelope(answer)
    data = envelope.get("data")
    if not isinstance(data, list):
        raise _unexpected(answer, "its data is no list")
    pagination = _validate(Pagination, envelope.get("pagination"), answer)
    return tuple(_validate(kind, item, answer) for item in data), pagination


def read_error(answer: Answer) -> FlowMaestroError:
    """Return the error that a failed *answer* stands for, to be raised by the caller.

    One that is not of the API's shape (a proxy's page) becomes an :class:`APIError` with the code
    ``http_STATUS``, so that its status is not lost.
    """
    retry_after = parse_retry_after(answer.headers.get("retry-after"), now_seconds=time.time())
    request_id = answer.headers.get("x-request-id")
    try:
        body = json.loads(answer.body)
        error = body["error"]
        code, message = error["code"], error["message"]
        if not (isinstance(code, str) and isinstance(message, str)):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        if 300 <= answer.status < 400:
            return _unexpected(answer, "it redirects to another address")
        return ERROR_OF_STATUS.get(answer.status, APIError)(
            answer.status,
            f"http_{answer.status}",
            f"The server answered with status {answer.status}.",
            request_id=request_id,
            retry_after_seconds=retry_after,
        )
    meta = body.get("meta")
    if request_id is None and isinstance(meta, dict):
        request_id = meta.get("request_id")
    return ERROR_OF_CODE.get(code, APIError)(
        answer.status,
        code,
        message,
        details=error.get("details"),
        request_id=request_id,
        retry_after_seconds=retry_after,
    )


ERROR_OF_STATUS: Final[Mapping[int, type[APIError]]] = {
    410: ERROR_OF_CODE["cursor_expired"],
    413: ERROR_OF_CODE["payload_too_large"],
    429: ERROR_OF_CODE["rate_limit_exceeded"],
    503: ERROR_OF_CODE["service_unavailable"],
}
"""The classes of errors that come from something in between, such as a proxy, with no code."""


def _envelope(answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _unexpected(answer, "it is no JSON") from error
    if not isinstance(body, dict):
        raise _unexpected(answer, "it is no JSON object")
    return body


def _validate(kind: type[Kind], data: Any, answer: Answer) -> Kind:
    try:
        return kind.model_validate(data)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "data"
        reason = f"{kind.__name__}: {place}: {problem['msg']}"
        raise _unexpected(answer, reason) from error


def _unexpected(answer: Answer, reason: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"The answer (status {answer.status}) is not one of FlowMaestro's API: {reason}. "
        "Check the base URL.",
        status=answer.status,
    )
