"""The server's log lines: from a request to its execution, from there to a node's own words."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.engine.log_context import ContextFilter
from flowmaestro.streaming import StreamingOptions
from tests.support import observed_nodes
from tests.support.api import assert_error, create, execute, finish, greeting, waiting
from tests.support.engine import python_node
from tests.support.raw_http import IdleReader, open_connection
from tests.support.server import LiveServer, ServerProcess, live_server, server_process
from tests.support.storage import note
from tests.support.streaming import stage, until

NODES = str(Path(observed_nodes.__file__))
SECRET = "correct-horse-battery"


def lines(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.splitlines()]


def chain(*nodes: dict[str, Any]) -> dict[str, Any]:
    names = [f"n{index}" for index in range(len(nodes))]
    return {
        "name": "Observed",
        "nodes": dict(zip(names, nodes, strict=True)),
        "edges": [{"source": source, "target": target} for source, target in pairwise(names)],
    }


class Kept(logging.Handler):
    """Keeps the records that the server's own handler would write."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.addFilter(ContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    root = logging.getLogger()
    kept, level = Kept(), root.level
    root.addHandler(kept)
    root.setLevel(logging.INFO)
    yield kept.records
    root.removeHandler(kept)
    root.setLevel(level)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return vars(record)


async def test_a_request_leads_to_its_execution_and_that_to_the_words_of_its_nodes(
    tmp_path: Path,
) -> None:
    environment = {"FLOWMAESTRO_NODES": NODES, "FLOWMAESTRO_SECRET_TOKEN": SECRET}
    retry = {"max_attempts": 2, "initial_delay_ms": 1, "backoff": "fixed", "max_delay_ms": 1}
    definition = chain(
        python_node("say", {"text": "the token is {{ secrets.TOKEN }}"}),
        python_node("say_in_a_thread", {"text": "hello"}),
        python_node("fail_until", {"attempt": 2}, retry=retry),
        python_node("raise_error", {"text": "broken {{ secrets.TOKEN }}"}),
    )
    with server_process(tmp_path, environment) as server:
        async with server.client(await server.new_key()) as client:
            workflow_id = await create(client, definition)
            response = await client.post(
                f"/v1/workflows/{workflow_id}/execute", headers={"X-Request-Id": "req_mine"}
            )
            execution_id = response.json()["data"]["execution_id"]
            await finish(client, execution_id)
        assert server.stop() == 0
        found = lines(server)

    [request] = [line for line in found if line.get("request_id") == "req_mine"]
    assert (request["message"], request["execution_id"]) == ("request", execution_id)
    inside = [
        line
        for line in found
        if line.get("execution_id") == execution_id and "request_id" not in line
    ]
    told = {(line["message"], line.get("node_id"), line.get("attempt")) for line in inside}
    assert {
        ("async: the token is ***", "n0", 1),
        ("thread: hello", "n1", 1),
        ("attempt failed, and is repeated", "n2", 1),
        ("node failed", "n3", 1),
    } <= told
    [ended] = [line for line in inside if line["message"] == "execution ended"]
    assert ended["status"] == "failed"
    assert ended["workflow_id"] == workflow_id
    assert ended["events"] > 8
    assert ended["duration_ms"] >= 0
    [failed] = [line for line in inside if line["message"] == "node failed"]
    assert failed["error_code"] == "node_error"
    assert SECRET not in server.log


async def test_recovery_and_interrupted_attempts_are_told(tmp_path: Path) -> None:
    with server_process(tmp_path, {"FLOWMAESTRO_NODES": NODES}) as server:
        key = await server.new_key()
        async with server.client(key) as client:
            execution_id = await execute(
                client, await create(client, chain(python_node("hang_once")))
            )
            await until((tmp_path / "hanging").exists)
        server.kill()
        server.start()
        async with server.client(key) as client:
            await finish(client, execution_id)
        assert server.stop() == 0
        found = lines(server)
    [taken_up] = [line for line in found if line["message"] == "unfinished executions are taken up"]
    assert taken_up["executions"] == 1
    [goes_on] = [line for line in found if line["message"] == "execution goes on from its log"]
    assert goes_on["execution_id"] == execution_id
    [cut] = [line for line in found if line["message"].startswith("attempt was interrupted")]
    assert (cut["execution_id"], cut["node_id"], cut["attempt"], cut["level"]) == (
        execution_id,
        "n0",
        1,
        "warning",
    )


async def test_a_refusal_says_what_was_used_up(
    tmp_path: Path, records: list[logging.LogRecord]
) -> None:
    async with (
        live_server(tmp_path, max_unfinished_executions=1) as server,
        server.client() as client,
    ):
        workflow_id = await create(client, waiting())
        await execute(client, workflow_id)
        refused = await client.post(f"/v1/workflows/{workflow_id}/execute")
        assert_error(refused, "service_unavailable")
        assert_error(await client.get("/v1/executions/nope"), "resource_not_found")
    asked = {
        fields.get("status"): fields
        for fields in map(fields_of, records)
        if fields["name"] == "flowmaestro.access" and fields.get("error_code")
    }
    assert asked[503]["error_code"] == "service_unavailable"
    assert "1 executions are unfinished" in asked[503]["reason"]
    assert asked[404]["error_code"] == "resource_not_found"
    assert "reason" not in asked[404]


@pytest.mark.parametrize("lane", [True, False])
async def test_who_is_dropped_is_told_with_how_far_they_were_behind(
    tmp_path: Path, records: list[logging.LogRecord], lane: bool
) -> None:
    options = StreamingOptions(
        buffer_bytes=16 * 1024, page_bytes=16 * 1024, stalled_reader_seconds=0.3
    )
    async with stage(tmp_path, options, lane=lane, send_buffer_bytes=16 * 1024) as running:
        script = await running.script(events=1)
        idle = IdleReader(running.port, f"/{script.execution_id}")
        await until(lambda: running.hub.gauges().level == 1)
        while running.hub.gauges().subscriptions:
            await script.append(4, padding=1_000)
        idle.close()
        await running.wait_nobody_follows()
    [dropped] = [fields_of(record) for record in records if "was dropped" in record.getMessage()]
    assert dropped["execution_id"] == script.execution_id
    assert dropped["key_id"] == "key_1"
    assert dropped["events_behind"] > 0


async def test_what_serves_everybody_does_not_log_under_one_of_their_requests(
    tmp_path: Path, records: list[logging.LogRecord]
) -> None:
    async with (
        live_server(tmp_path, stalled_reader_seconds=0.3, stream_buffer_bytes=16 * 1024) as server,
        server.client() as client,
    ):
        execution_id = await execute(client, await create(client, waiting()))
        port = int(server.base_url.rpartition(":")[2])
        path = f"/v1/executions/{execution_id}/events?include=node:log"
        log = server.parts.storage.log
        for _ in range(10):  # before it is opened: the page is read on behalf of its request
            await log.append(execution_id, [note(execution_id, "x" * 100_000)] * 10)
        idle = IdleReader(port, path, headers={"X-API-Key": server.key})
        await until(lambda: server.parts.hub.counters.drops == 1)
        idle.close()
    [dropped] = [fields_of(record) for record in records if "was dropped" in record.getMessage()]
    assert dropped["execution_id"] == execution_id
    assert "request_id" not in dropped


async def test_records_within_a_request_carry_its_id(
    tmp_path: Path, records: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_server(tmp_path) as server, server.client() as client:

        async def speaking() -> None:
            logging.getLogger("some.library").warning("odd")

        monkeypatch.setattr(server.parts.storage, "check", speaking)
        await asyncio.gather(
            *(client.get("/readyz", headers={"X-Request-Id": f"req_{n}"}) for n in range(5))
        )
    said = [fields_of(record) for record in records if record.name == "some.library"]
    assert sorted(fields["request_id"] for fields in said) == [f"req_{n}" for n in range(5)]


async def test_one_line_an_execution_is_not_one_an_event(
    tmp_path: Path, records: list[logging.LogRecord]
) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        workflow_id = await create(client, greeting())
        records.clear()
        execution_id = await execute(client, workflow_id, name="Ada")
        while not (await client.get(f"/v1/executions/{execution_id}")).json()["data"][
            "completed_at"
        ]:
            pass
        told = [r.getMessage() for r in records if fields_of(r).get("execution_id") == execution_id]
    assert told.count("execution ended") == 1
    assert set(told) == {"request", "execution ended"}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HELLO\r\n\r\n", 400),
        (b"GET /healthz HT", 408),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n", 414),
    ],
)
async def test_what_is_no_request_is_logged_with_the_id_that_its_answer_has(
    tmp_path: Path, records: list[logging.LogRecord], said: bytes, status: int
) -> None:
    async with live_server(tmp_path, request_timeout_seconds=0.2) as server:
        answer = await answer_to(server, said)
    [logged] = [fields_of(record) for record in records if record.getMessage() == "no request"]
    assert f"x-request-id: {logged['request_id']}\r\n" in answer
    assert (logged["status"], logged["client"]) == (status, "127.0.0.1")
    assert logged["error_code"] == "validation_error"
    assert json.dumps(logged["reason"]) in answer
    assert [record for record in records if record.levelno >= logging.WARNING] == []


async def test_a_body_that_did_not_come_is_logged_as_it_was_answered(
    tmp_path: Path, records: list[logging.LogRecord]
) -> None:
    async with live_server(tmp_path, request_timeout_seconds=0.2) as server:
        head = f"POST /v1/workflows HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\n"
        answer = await answer_to(server, f"{head}Content-Length: 100\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 408 ")
    [logged] = [fields_of(record) for record in records if record.getMessage() == "request"]
    assert (logged["status"], logged["error_code"]) == (408, "validation_error")
    assert f"x-request-id: {logged['request_id']}\r\n" in answer


async def answer_to(server: LiveServer, said: bytes) -> str:
    connection = await open_connection(int(server.base_url.rpartition(":")[2]))
    try:
        connection.write(said)
        return (await connection.read(65536)).decode()
    finally:
        await connection.close()
