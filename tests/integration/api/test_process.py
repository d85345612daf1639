"""The server as a process: how it starts, what it logs, and how it ends."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import httpx2
import pytest

from flowmaestro.events import EXTENSION_TYPES
from tests.support.api import create, execute, greeting, waiting
from tests.support.server import ServerProcess, server_process

HANGING_NODES = """
import asyncio, threading, time
from flowmaestro import node

@node("hang_thread")
def hang_thread() -> dict:
    time.sleep(3600)

@node("hang_worker")
async def hang_worker() -> dict:
    await asyncio.to_thread(time.sleep, 3600)

@node("hang_refusing")
async def hang_refusing() -> dict:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

@node("hang_loop")
async def hang_loop() -> dict:
    while True:
        pass
"""


async def sse_client(server: ServerProcess, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=server.base_url, headers={"X-API-Key": key}, timeout=30, trust_env=False
    )


async def ask_until_silence(client: httpx2.AsyncClient) -> None:
    while True:
        await client.get("/healthz", timeout=1)


async def test_it_says_once_where_it_listens_and_stops_cleanly(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with await sse_client(server, await server.new_key()) as client:
            assert (await client.get("/v1/workflows")).json()["data"] == []
        server.process.send_signal(15)
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
        assert server.wait() == 0


async def test_the_log_has_every_request_and_no_key_or_ticket(tmp_path: Path) -> None:
    with server_process(tmp_path, {"FLOWMAESTRO_SECRET_A": "hunter22"}) as server:
        key = await server.new_key()
        async with await sse_client(server, key) as client:
            for path in (
                f"/v1/workflows?key={key}",
                f"/v1/executions/{key}",
                "/v1/executions/exec_1/events?ticket=sealed-ticket",
                "/hunter22",
            ):
                await client.get(path, headers={"X-Request-Id": "seen"})
            await client.get("/v1/workflows", headers={"Authorization": f"Bearer {key}x"})
        assert server.stop() == 0
        for hidden in (key, "sealed-ticket", "hunter22"):
            assert hidden not in server.log
        lines = [json.loads(line) for line in server.log.splitlines()]
        requests = [line for line in lines if line["logger"] == "flowmaestro.access"]
        assert [line["status"] for line in requests] == [400, 404, 401, 404, 401]
        assert requests[0]["request_id"] == "seen"
        assert requests[0]["path"] == "/v1/workflows"
        assert requests[0]["key_id"].startswith("key_")
        assert requests[0]["duration_ms"] >= 0


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_key_or_ticket_is_in_what_a_whole_run_writes(
    tmp_path: Path, log_format: str
) -> None:
    environment = {"FLOWMAESTRO_LOG_LEVEL": "debug", "FLOWMAESTRO_LOG_FORMAT": log_format}
    with server_process(tmp_path, environment) as server:
        key, other = await server.new_key(), await server.new_key()
        async with await sse_client(server, key) as client:
            execution_id = await execute(client, await create(client, waiting(1)))
            tickets = [
                (await client.post(f"/v1/executions/{execution_id}/tickets")).json()["data"]
                for _ in range(2)
            ]
        ticket = tickets[0]["ticket"]
        changed = f"{ticket[:-5]}AAAAA"
        events = tickets[0]["events_url"]
        port = int(server.base_url.rpartition(":")[2])
        async with await sse_client(server, "") as client:
            del client.headers["X-API-Key"]
            assert "execution:completed" in (await client.get(events)).text
            for path in (
                f"{events}&follow=false",
                f"{events}&last_event_id=none",
                f"{events}&ticket={tickets[1]['ticket']}",
                events.replace(ticket, changed),
                events.replace(execution_id, "exec_other"),
                f"/v1/executions?ticket={ticket}",
                f"/v1/executions/{ticket}",
                f"/{key}/{ticket}",
                f"/metrics?{key}",
            ):
                for method in ("GET", "POST", "HEAD"):
                    await client.request(method, path, headers={"X-Request-Id": key})
            for header in ("X-API-Key", "Authorization", "Last-Event-ID", "Accept", "X-Request-Id"):
                for value in (other, ticket):
                    await client.get(events, headers={header: value})
            for body in (f'{{"{key}": "{ticket}"}}', f"{{{key}", f'"{ticket}"'):
                await client.post(
                    f"/v1/executions/{execution_id}/tickets",
                    content=body,
                    headers={"X-API-Key": key},
                )
            metrics = (await client.get("/metrics")).text
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"GET {events} HTTP/9.9\r\n{key}\r\n\r\n".encode())
            connection.recv(65536)
        assert server.stop() == 0
        assert server.log.count("flowmaestro.access") > 30
        for hidden in (key, other, *(found["ticket"].rpartition(".")[2] for found in tickets)):
            assert hidden not in server.log
            assert hidden not in metrics
        assert changed[-20:] not in server.log


async def test_a_second_server_on_the_same_database_says_so_and_stops(tmp_path: Path) -> None:
    with server_process(tmp_path) as first:
        second = ServerProcess(tmp_path)
        second.launch()
        assert second.wait() == 1
        lines = [line for line in first.log.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1
        assert "another FlowMaestro server is using it" in lines[0]
        async with await sse_client(first, await first.new_key()) as client:
            assert (await client.get("/v1/workflows")).status_code == 200
        assert first.stop() == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"FLOWMAESTRO_DATABASE": "postgres://user:hunter22@host/db"}, "PostgreSQL"),
        ({"FLOWMAESTRO_DATABASE": "sqlite:////dev/null/no.db"}, "/dev/null/no.db"),
        ({"FLOWMAESTRO_NODES": "no_such_module"}, "no_such_module"),
        ({"FLOWMAESTRO_HOST": "203.0.113.1"}, "203.0.113.1"),
    ],
)
async def test_what_keeps_it_from_starting_is_one_line(
    tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    server = ServerProcess(tmp_path, environment)
    server.launch()
    assert server.wait() == 1
    (line,) = server.log.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert "hunter22" not in line


async def test_the_limit_of_open_files_is_raised_and_what_it_has_room_for_is_said(
    tmp_path: Path,
) -> None:
    limits = 'ulimit -Sn 512; ulimit -Hn 2048; exec "$@"'
    settings = {"FLOWMAESTRO_MAX_STREAMS": "5000", "FLOWMAESTRO_MAX_CONNECTIONS": "6000"}
    server = ServerProcess(tmp_path, settings, wrapper=("sh", "-c", limits, "sh"))
    server.start()
    assert server.stop() == 0
    assert "the limit of open files has room for 1792 streams" in server.log
    room = "the limit of open files has room for"
    assert f"FLOWMAESTRO_MAX_STREAMS is 5000, and {room} 1792: raise it" in server.log
    assert f"FLOWMAESTRO_MAX_CONNECTIONS is 6000, and {room} 1920: raise it" in server.log


def test_a_variable_that_is_no_setting_is_told_in_the_log(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, {"FLOWMAESTRO_MAX_STREAM": "50"})
    server.start()
    assert server.stop() == 0
    assert "FLOWMAESTRO_MAX_STREAM (did you mean FLOWMAESTRO_MAX_STREAMS?)" in server.log


def test_a_port_in_use_is_one_line_and_the_database_is_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = ServerProcess(tmp_path, {"FLOWMAESTRO_PORT": port})
        server.launch()
        assert server.wait() == 1
    (line,) = server.log.splitlines()
    assert f"cannot listen on 127.0.0.1:{port}" in line
    assert not (tmp_path / "flowmaestro.db").exists()


async def test_on_sigterm_streams_end_whole_and_work_goes_on_at_the_next_start(
    tmp_path: Path,
) -> None:
    environment = {"FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS": "0.2"}
    with server_process(tmp_path, environment) as server:
        key = await server.new_key()
        async with await sse_client(server, key) as client:
            execution_id = await execute(client, await create(client, waiting(1500)))
            path = f"/v1/executions/{execution_id}/events?include={','.join(EXTENSION_TYPES)}"
            received = ""
            async with client.stream("GET", path) as response:
                async for text in response.aiter_text():
                    if not received:
                        server.process.send_signal(15)
                    received += text
            assert received.endswith("\n\n")
            assert "retry: " in received.rsplit("id: ", 1)[-1]
            assert "execution:completed" not in received
        assert server.wait() == 0
        cursor = received.rsplit("\nid: ", 1)[-1].split("\n")[0]

        server.start()
        async with await sse_client(server, key) as client:
            rest = await client.get(path, headers={"Last-Event-ID": cursor})
            numbers = [int(line[4:]) for line in rest.text.splitlines() if line.startswith("id: ")]
            assert numbers[0] == int(cursor) + 1
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert "execution:completed" in rest.text
        assert server.stop() == 0


async def test_while_it_drains_it_answers_503_to_new_work(tmp_path: Path) -> None:
    with server_process(tmp_path, {"FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS": "7"}) as server:
        async with await sse_client(server, await server.new_key()) as client:
            await create(client, waiting(2000, id="wait"))
            execution_id = await execute(client, "wait")
            server.process.send_signal(15)
            while (await client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.01)
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["error"]["code"]) == (
                503,
                "service_unavailable",
            )
            refused = await client.post("/v1/workflows/wait/execute")
            assert refused.status_code == 503
            assert "Retry-After" in refused.headers
            events = await client.get(f"/v1/executions/{execution_id}/events")
            while events.status_code == 200:  # it began before the drain, and was ended by it
                assert "execution:completed" not in events.text
                events = await client.get(f"/v1/executions/{execution_id}/events")
            assert events.status_code == 503
            assert (await client.get(f"/v1/executions/{execution_id}")).status_code == 200
        assert server.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hang_thread", "hang_worker", "hang_refusing", "hang_loop"])
async def test_it_ends_within_ten_seconds_whatever_a_node_does(tmp_path: Path, kind: str) -> None:
    (tmp_path / "hanging.py").write_text(HANGING_NODES)
    environment = {
        "FLOWMAESTRO_NODES": str(tmp_path / "hanging.py"),
        "FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS": "1",
    }
    with server_process(tmp_path, environment) as server:
        async with await sse_client(server, await server.new_key()) as client:
            definition = greeting(nodes={"n": {"type": kind, "config": {}}}, edges=[])
            workflow_id = await create(client, definition)
            if kind == "hang_loop":  # nothing answers from here on
                await execute(client, workflow_id)
                with pytest.raises(httpx2.ReadTimeout):
                    await ask_until_silence(client)
            else:
                execution_id = await execute(client, workflow_id)
                async with client.stream("GET", f"/v1/executions/{execution_id}/events") as events:
                    async for line in events.aiter_lines():
                        if line == "event: node:started":
                            break
        started = time.monotonic()
        code = server.stop()
        assert time.monotonic() - started < 10
        assert code == (1 if kind == "hang_loop" else 0), server.log


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with server_process(tmp_path, {"FLOWMAESTRO_SHUTDOWN_GRACE_SECONDS": "7"}) as server:
        async with await sse_client(server, await server.new_key()) as client:
            await execute(client, await create(client, waiting()))
            server.process.send_signal(15)
            while (await client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.01)
        started = time.monotonic()
        server.process.send_signal(2)
        assert server.wait() == 130
        assert time.monotonic() - started < 1


async def test_a_server_that_was_killed_leaves_nothing_that_stops_the_next(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        key = await server.new_key()
        async with await sse_client(server, key) as client:
            workflow_id = await create(client, greeting())
        server.kill()
        server.start()
        async with await sse_client(server, key) as client:
            assert (await client.get(f"/v1/workflows/{workflow_id}")).status_code == 200
        assert server.stop() == 0
