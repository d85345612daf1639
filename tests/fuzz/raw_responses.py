"""Whether what a server sent is HTTP, as h11, which is strict, reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import h11

from flowmaestro.api.errors import STATUS_OF_CODE

STREAMS = ("text/event-stream", "application/x-ndjson")


class NotHttp(AssertionError):
    """The server's bytes are no sequence of responses."""


@dataclass(frozen=True)
class Response:
    """A response that was read; *whole* if its end was seen."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool


def read_responses(received: bytes, *, ended: bool, may_be_head: bool) -> list[Response]:
    """Return the responses in *received*.

    Args:
        received: all bytes of a connection.
        ended: whether the server closed the connection after them.
        may_be_head: whether requests may have been HEAD, so that a response may have no body
            whatever its head says.

    Raises:
        NotHttp: they are none, or the server broke one off that is no stream.
    """
    if not received:
        return []
    try:
        response, rest = _read(received, "GET", ended=ended)
        return [response, *read_responses(rest, ended=ended, may_be_head=may_be_head)]
    except (h11.RemoteProtocolError, NotHttp) as error:
        # The next response was taken for the body of one that has none.
        if not may_be_head:
            raise NotHttp(f"{error}: {received[:400]!r}") from error
    try:
        response, rest = _read(received, "HEAD", ended=ended)
    except h11.RemoteProtocolError as error:
        raise NotHttp(f"{error}: {received[:400]!r}") from error
    return [response, *read_responses(rest, ended=ended, may_be_head=may_be_head)]


def check(response: Response, sent: bytes) -> None:
    """Check what holds of every response, whatever was *sent*."""
    told = f"{response} to {sent[:2000]!r}"
    assert response.status < 500, told
    assert response.headers.get("x-request-id"), told
    if response.status < 400 or not response.whole or not response.body:
        return
    if response.headers["content-type"].startswith("text/html"):
        return  # the page, where it was not built
    assert response.headers["content-type"] == "application/json", told
    body = json.loads(response.body)
    assert set(body) == {"error", "meta"}, told
    assert body["error"]["code"] in STATUS_OF_CODE, told
    assert body["meta"]["request_id"] == response.headers["x-request-id"], told


def _read(received: bytes, method: str, *, ended: bool) -> tuple[Response, bytes]:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(received)
    if ended:
        connection.receive_data(b"")
    status, headers, body = 0, {}, b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                rest, _ = connection.trailing_data
                if body and headers.get("content-type") == "application/json":
                    _check_json(body)
                return Response(status, headers, body, whole=True), bytes(rest)
            elif event is h11.NEED_DATA:
                if not status:  # its head has not come whole
                    return Response(0, {"x-request-id": "?"}, b"", whole=False), b""
                return Response(status, headers, body, whole=False), b""
            elif not isinstance(event, h11.InformationalResponse):
                raise NotHttp(f"{event} where a response should be: {received[:400]!r}")
    except h11.RemoteProtocolError:
        # A stream is cut off when its client says what is no HTTP; nothing else is.
        if status == 200 and headers.get("content-type", "").startswith(STREAMS):
            return Response(status, headers, body, whole=False), b""
        raise


def _check_json(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError as error:
        raise NotHttp(f"a body of JSON that is none: {body[:400]!r}") from error
