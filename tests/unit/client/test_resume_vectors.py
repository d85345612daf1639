"""Every vector of ``protocol/vectors/resume.json``, driven without I/O."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.client.errors import (
    APIError,
    ConnectionFailed,
    FlowMaestroError,
    RequestTimeout,
    StreamProtocolError,
)
from flowmaestro.client.resume import (
    Deliver,
    Head,
    Open,
    Read,
    Reconnecting,
    Reply,
    ResumeOptions,
    Resumption,
)

_FILE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "protocol/vectors/resume.json").read_text()
)


class Driver:
    """Plays a vector's connections to a resumption, and writes down what it does."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.resumption = Resumption(
            ResumeOptions(), last_event_id=vector["cursor"], clock=lambda: 0.0, random=lambda: 0.5
        )
        self.cursors: list[int] = []
        self.numbers: list[int | None] = []
        self.waits_ms: list[float] = []
        self._connections = iter(vector["connections"])
        self._reads: list[bytes | Exception] = []

    def run(self) -> None:
        actions = self.resumption.run()
        reply: Reply = None
        while True:
            try:
                action = actions.send(reply)
            except StopIteration:
                return
            reply = None
            match action:
                case Open():
                    self.cursors.append(action.last_event_id)
                    reply = self._open(next(self._connections))
                case Read():
                    read = self._reads.pop(0)
                    assert isinstance(read, bytes | ConnectionFailed | RequestTimeout)
                    reply = read
                case Deliver():
                    self.numbers.append(action.event.number)
                    assert self.resumption.last_event_id == action.event.number
                case Reconnecting():
                    self.waits_ms.append(action.delay_seconds * 1000)

    def _open(self, connection: dict[str, Any]) -> Reply:
        if "refused" in connection:
            return ConnectionFailed("refused", sent=False)
        headers = dict(connection.get("headers", {}))
        headers.setdefault("content-type", "text/event-stream")
        body = _body(connection)
        endings: dict[str, bytes | Exception] = {
            "close": b"",
            "error": ConnectionFailed("broke"),
            "silence": RequestTimeout("silent"),
        }
        self._reads = [*([body] if body else []), endings[connection.get("end", "close")]]
        return Head(connection["status"], headers)


def _body(connection: dict[str, Any]) -> bytes:
    if "error" in connection:
        error = {"code": connection["error"], "message": "It failed.", "details": None}
        return json.dumps({"error": error, "meta": {"request_id": "req_1"}}).encode()
    text = ""
    for part in connection.get("body", []):
        if isinstance(part, int):
            data = _FILE["log"][part - 1]
            part = f"id: {part}\nevent: {json.loads(data)['type']}\ndata: {data}\n\n"
        text += part
    return text.encode()


@pytest.mark.parametrize("vector", _FILE["vectors"], ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    driver = Driver(vector)
    error: FlowMaestroError | None = None
    try:
        driver.run()
    except FlowMaestroError as raised:
        error = raised
    assert driver.numbers == vector["numbers"]
    assert driver.cursors == vector["cursors"]
    match vector["outcome"]:
        case "ended":
            assert error is None
        case "api_error":
            assert isinstance(error, APIError)
            assert error.code == vector["code"]
        case "protocol_error":
            assert isinstance(error, StreamProtocolError)
            assert error.last_event_id == (vector["numbers"] or [vector["cursor"]])[-1]
    if "waits_ms" in vector:
        assert len(driver.waits_ms) == len(vector["waits_ms"])
        for wait, (shortest, longest) in zip(driver.waits_ms, vector["waits_ms"], strict=True):
            assert shortest <= wait <= longest
