from __future__ import annotations

import json
import logging
import sys

import pytest

from flowmaestro.api.keys import generate_key
from flowmaestro.main.logs import JsonFormatter, Redactor, TextFormatter


def record(message: str, *arguments: object, **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {
            "name": "flowmaestro.test",
            "levelno": logging.INFO,
            "levelname": "INFO",
            "msg": message,
            "args": arguments,
            "created": 1_700_000_000.5,
            **fields,
        }
    )
    return made


FORMATTERS = [JsonFormatter, TextFormatter]


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_keys_tickets_and_secrets_are_blotted_out(
    formatter: type[JsonFormatter] | type[TextFormatter],
) -> None:
    key = generate_key("live")
    ticket = "fm_ticket_v1.key_1.exec_1.1700000000000." + "A-_z" * 10 + "abc"
    secret = 'quo"ted\\secret'
    line = formatter(Redactor([secret])).format(
        record(
            "GET /x?ticket=abc.def-ghi&a=1 by %s with %s and %s",
            key,
            secret,
            ticket,
            path=f"/{key}",
            note=secret,
            way=f"/{ticket}/x",
        )
    )
    assert key not in line
    assert "abc.def" not in line
    assert "A-_z" not in line
    assert secret not in line
    assert "ted\\" not in line
    assert line.count("***") == 7


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_secret_in_an_exception_is_blotted_out(
    formatter: type[JsonFormatter] | type[TextFormatter],
) -> None:
    try:
        raise ValueError("it was hunter22")
    except ValueError:
        failed = record("failed", exc_info=sys.exc_info())
    line = formatter(Redactor(["hunter22"])).format(failed)
    assert "hunter22" not in line
    assert "ValueError" in line


def test_json_has_the_fields_that_were_given_and_no_others() -> None:
    line = JsonFormatter(Redactor()).format(
        record("done", request_id="req_1", execution_id="exec_1", missing=None)
    )
    assert json.loads(line) == {
        "timestamp": "2023-11-14T22:13:20.500Z",
        "level": "info",
        "logger": "flowmaestro.test",
        "message": "done",
        "request_id": "req_1",
        "execution_id": "exec_1",
    }


def test_text_is_one_line_whatever_a_client_put_into_it() -> None:
    line = TextFormatter(Redactor()).format(record("path %s", "/a\nINFO forged\x1b[31m\u2028"))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_an_empty_secret_is_none() -> None:
    assert Redactor([""])("status 111") == "status 111"


def test_the_longest_of_overlapping_secrets_goes_whole() -> None:
    assert Redactor(["pass", "password"])("my password") == "my ***"


FORGED = "2030-01-01T00:00:00.000Z INFO    flowmaestro.access request status=200"


def test_no_exception_writes_a_record_of_its_own() -> None:
    try:
        raise ValueError(f"no such name\n{FORGED}\x1b[2J")
    except ValueError:
        failed = record("failed", exc_info=sys.exc_info())
    first, *rest = TextFormatter(Redactor()).format(failed).split("\n")
    assert first.endswith("failed")
    assert any(FORGED in line for line in rest)
    assert all(line.startswith("  | ") for line in rest)
    assert not any("\x1b" in line for line in rest)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_secret_is_found_however_it_is_written(
    formatter: type[JsonFormatter] | type[TextFormatter],
) -> None:
    secret = 'one\ntwo "three" é'
    nested = {"a": [secret, {secret: secret}]}
    line = formatter(Redactor([secret])).format(
        record("%s %r %s", secret, secret, json.dumps(secret), nested=nested)
    )
    assert "three" not in line
    assert "two" not in line
    assert line.count("***") == 6
