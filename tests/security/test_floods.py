"""What somebody without a key may take of the server: bytes, time, connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.main import http_protocol
from flowmaestro.main import server as server_module
from tests.support.api import create, execute, greeting, waiting
from tests.support.raw_http import (
    RawConnection,
    RawResponse,
    head_of,
    open_connection,
    request,
    responses,
)
from tests.support.server import LiveServer, ServerProcess, live_server


def port_of(server: LiveServer | ServerProcess) -> int:
    return int(server.base_url.rpartition(":")[2])


@asynccontextmanager
async def connected(server: LiveServer | ServerProcess) -> AsyncIterator[RawConnection]:
    connection = await open_connection(port_of(server))
    try:
        yield connection
    finally:
        await connection.close()


async def drip(connection: RawConnection, piece: bytes) -> None:
    """Send *piece* again and again, a little at a time, until the peer has had enough."""
    while not connection.reader.at_eof():
        connection.write(piece)
        await asyncio.sleep(0.01)


async def answer_to_a_drip(connection: RawConnection, piece: bytes) -> bytes:
    dripping = asyncio.create_task(drip(connection, piece))
    try:
        return await connection.read(65536)
    finally:
        dripping.cancel()


async def is_served(server: LiveServer | ServerProcess) -> bool:
    async with httpx2.AsyncClient(base_url=server.base_url, trust_env=False) as client:
        return (await client.get("/healthz")).status_code == 200


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server that does not wait for long."""
    settings = {"request_timeout_seconds": 0.2, "shutdown_grace_seconds": 0}
    async with live_server(tmp_path, **settings) as server:
        yield server


async def test_a_connection_that_says_nothing_is_closed(hasty: LiveServer) -> None:
    async with connected(hasty) as connection:
        assert await connection.read(1) == b""


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        (b"GET /", b"a"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\na", b"a"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"a:\r\n"),
    ],
)
async def test_a_head_that_comes_byte_by_byte_is_not_waited_for(
    hasty: LiveServer, said: bytes, piece: bytes
) -> None:
    async with connected(hasty) as connection:
        connection.write(said)
        answer = await answer_to_a_drip(connection, piece)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in answer.lower()
    assert b'"code":"validation_error"' in answer


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"]
)
async def test_a_body_that_comes_byte_by_byte_is_not_waited_for(
    hasty: LiveServer, framing: bytes
) -> None:
    async with connected(hasty) as connection:
        connection.write(
            b"POST /v1/workflows HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n%b\r\n"
            % (hasty.key.encode(), framing)
        )
        piece = b" " if b"Length" in framing else b"1\r\n \r\n"
        answer = await answer_to_a_drip(connection, piece)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"The request's body took too long to arrive." in answer
        assert await connection.read(1) == b""


async def test_a_body_that_comes_at_a_good_pace_may_take_longer(hasty: LiveServer) -> None:
    body = b'{"inputs": {"name": "' + b"a" * 50_000
    async with hasty.client() as client:
        workflow_id = await create(client, greeting())
    async with connected(hasty) as connection:
        connection.write(
            b"POST /v1/workflows/%b/execute HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n"
            b"Content-Length: %d\r\n\r\n%b"
            % (workflow_id.encode(), hasty.key.encode(), len(body) + 3, body)
        )
        await asyncio.sleep(0.5)  # longer than the server waits for what is slow
        connection.write(b'"}}')
        assert (await connection.read(100)).startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("piece", [b"1\r\n \r\n", b"8000\r\n" + b" " * 0x8000 + b"\r\n"])
async def test_a_body_that_goes_on_after_its_answer_is_cut_off(
    hasty: LiveServer, monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_SECONDS", 0.1)
    async with connected(hasty) as connection:
        connection.write(b"POST /v1/workflows HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await connection.read(100)).startswith(b"HTTP/1.1 401 ")
        async with asyncio.timeout(10):
            while await answer_to_a_drip(connection, piece):
                pass


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /v1/executions?" + b"a=b&" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 201 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 66_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"b" * 66_000 + b": a\r\n\r\n", 431),
    ],
)
async def test_a_head_is_held_up_to_a_size(tmp_path: Path, head: bytes, status: int) -> None:
    async with live_server(tmp_path) as server, connected(server) as connection:
        connection.write(head)
        answer = await connection.read(65536)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert await is_served(server)


CHUNKED = b"POST /v1/workflows HTTP/1.1\r\nX-API-Key: KEY\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [b"GET / HTTP/1.1\r\na: b", b"GET / HTTP/1.1\r\na", CHUNKED + b"0\r\na: b", CHUNKED + b"1;a=b"],
)
async def test_a_line_without_an_end_is_not_kept(tmp_path: Path, head: bytes) -> None:
    async with live_server(tmp_path) as server, connected(server) as connection:
        connection.write(head.replace(b"KEY", server.key.encode()))
        answer = await answer_to_a_drip(connection, b"b" * 16_384)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert await is_served(server)


async def test_as_many_parameters_as_an_address_holds_are_nothing_special(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server:
        for query in ("a&" * 7_000, "ticket=a&" * 1_700, "%00=%ff&" * 1_900):
            for path in ("/v1/executions", "/v1/executions/exec_1/events", "/healthz"):
                async with await request(port_of(server), f"{path}?{query}") as response:
                    assert response.status in (200, 400, 401)


async def test_who_opens_many_connections_and_says_nothing_keeps_nobody_out(
    tmp_path: Path,
) -> None:
    async with live_server(tmp_path, max_connections=5) as server, AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(server)) for _ in range(20)]
        for connection in silent[:15]:
            assert await connection.read(1) == b""
        assert await is_served(server)
        silent[-1].write(head_of("/healthz"))
        assert (await silent[-1].read(100)).startswith(b"HTTP/1.1 200 ")


async def test_requests_and_streams_keep_their_connections_and_one_too_many_is_told(
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {"max_connections": 4, "shutdown_grace_seconds": 0}
    async with live_server(tmp_path, **settings) as server, AsyncExitStack() as stack:
        async with server.client() as client:
            execution_id = await execute(client, await create(client, waiting()))
        path = f"/v1/executions/{execution_id}/events"
        headers = {"X-API-Key": server.key}
        streams: list[RawResponse] = []
        for _ in range(4):
            stream = await request(port_of(server), path, headers=headers)
            streams.append(await stack.enter_async_context(stream))
            await stream.read_until(b"event: node:started")
        async with connected(server) as connection:
            connection.write(head_of("/healthz"))
            answer = await connection.read(65536)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"retry-after: 1" in answer.lower()
        await streams[0].close()
        while not (await _asked(server)).startswith(b"HTTP/1.1 200 "):
            await asyncio.sleep(0.01)
        for stream in streams[1:]:
            assert not stream._reader.at_eof()


async def _asked(server: LiveServer) -> bytes:
    async with connected(server) as connection:
        connection.write(head_of("/healthz"))
        return await connection.read(100)


async def test_a_stream_s_connection_can_wait_for_its_next_request_at_the_limit(
    tmp_path: Path,
) -> None:
    async with live_server(tmp_path, max_connections=1) as server:
        async with server.client() as client:
            execution_id = await execute(client, await create(client, waiting(1)))
        ask = head_of(f"/v1/executions/{execution_id}/events", headers={"X-API-Key": server.key})
        async with connected(server) as connection:
            for _ in range(3):
                connection.write(ask)
                response = RawResponse(connection)
                await response.read_head()
                assert (await response.events_until())[-1].event == "execution:completed"


IDLE_AFTER = {
    "an answer": (head_of("/healthz"), b""),
    "an empty line": (head_of("/healthz"), b"\r\n"),
    "the rest of a refused body": (
        head_of("/v1/workflows", method="POST", headers={"Content-Length": "2"}) + b"{",
        b"}",
    ),
}


@pytest.mark.parametrize("after", IDLE_AFTER)
async def test_a_connection_that_has_gone_quiet_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(server_module, "KEEP_ALIVE_SECONDS", 0.5)
    asked, more = IDLE_AFTER[after]
    async with live_server(tmp_path) as server, connected(server) as connection:
        await _ask(connection, asked)
        connection.write(more)
        assert await connection.read(1) == b""
        assert connection.reader.at_eof()


@pytest.mark.parametrize("after", IDLE_AFTER)
async def test_a_connection_that_has_gone_quiet_makes_room(tmp_path: Path, after: str) -> None:
    asked, more = IDLE_AFTER[after]
    async with (
        live_server(tmp_path, max_connections=1) as server,
        connected(server) as connection,
    ):
        await _ask(connection, asked)
        connection.write(more)
        async with asyncio.timeout(10):
            while not (await _asked(server)).startswith(b"HTTP/1.1 200 "):
                await asyncio.sleep(0.01)
        assert await connection.read(1) == b""


async def _ask(connection: RawConnection, request: bytes) -> None:
    connection.write(request)
    response = RawResponse(connection)
    await response.read_head()
    await response.read_all()


async def test_a_head_that_the_server_does_not_read_has_the_time_it_takes(
    hasty: LiveServer,
) -> None:
    async with hasty.client() as client:
        execution_id = await execute(client, await create(client, waiting()))
        events = f"/v1/executions/{execution_id}/events"
        as_json = {"Accept": "application/json"}
        cursor = 0
        while cursor < 2:  # its node runs: nothing more will come
            query = {"wait": 10, "last_event_id": cursor}
            found = await client.get(events, params=query, headers=as_json)
            cursor = found.json()["next_cursor"]
    poll = head_of(
        f"{events}?wait=1&last_event_id={cursor}",
        headers={"X-API-Key": hasty.key, **as_json},
    )
    ahead = head_of("/healthz")
    async with connected(hasty) as connection:
        connection.write(poll)
        await asyncio.sleep(0.2)  # it waits, and reads no more than the next request
        connection.write(ahead + ahead[:10])
        await asyncio.sleep(0.1)
        connection.write(ahead[10:])
        async for response in responses(connection, 3):
            assert response.status == 200
            await response.read_all()


async def test_by_default_connections_leave_files_for_the_rest(tmp_path: Path) -> None:
    limits = 'ulimit -n 256; exec "$@"'
    server = ServerProcess(tmp_path, wrapper=("sh", "-c", limits, "sh"))
    with _started(server) as port, _sockets(port, 300):
        assert await is_served(server)
        key = await server.new_key()
        async with httpx2.AsyncClient(
            base_url=server.base_url, headers={"X-API-Key": key}, trust_env=False
        ) as client:
            execution_id = await execute(client, await create(client, greeting()), name="Ada")
            assert "Hello, Ada!" in (await client.get(f"/v1/executions/{execution_id}/events")).text


@contextmanager
def _started(server: ServerProcess) -> Iterator[int]:
    try:
        yield port_of(server.start())
    finally:
        server.kill()


@contextmanager
def _sockets(port: int, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield
