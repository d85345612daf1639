"""What clients may do to the connection of a stream, and what is left of it afterwards: nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from pathlib import Path

import pytest
import trustme

from flowmaestro.events import SSEDecoder
from flowmaestro.streaming import StreamingOptions
from tests.support.raw_http import (
    CutOff,
    IdleReader,
    head_of,
    open_connection,
    request,
    responses,
)
from tests.support.streaming import OpenStage, Stage, until

SMALL = 16 * 1024


async def nothing_is_left(stage: Stage) -> None:
    await stage.wait_nobody_follows()
    await until(lambda: not stage.server.uvicorn.server_state.connections)
    assert stage.hub.admission.owners == ()


def open_sockets() -> int:
    entries = (entry.path for entry in os.scandir("/proc/self/fd"))
    return sum(os.path.exists(path) and "socket:" in os.readlink(path) for path in entries)


async def test_on_the_lane_no_task_waits_for_a_stream(stage: Stage, lane: bool) -> None:
    script = await stage.script(events=3)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        await response.numbers_until(3)
        assert stage.server.open_requests == (0 if lane else 1)
        assert stage.hub.gauges().subscriptions == 1


async def test_a_connection_is_kept_alive_after_its_stream(stage: Stage) -> None:
    script = await stage.script(events=3, finished=True)
    target = f"/{script.execution_id}"
    connection = await open_connection(stage.port)
    for _ in range(3):
        connection.write(head_of(target))
        async for response in responses(connection, 1):
            assert await response.numbers_until() == [1, 2, 3, 4]
    connection.write(head_of(f"{target}?follow=false"))
    async for response in responses(connection, 1):
        assert b'"next_cursor":4' in await response.read_all()
    await connection.close()
    await nothing_is_left(stage)


async def test_a_connection_that_is_not_to_be_kept_alive_is_closed(stage: Stage) -> None:
    script = await stage.script(events=1)
    headers = {"Connection": "close"}
    async with await request(stage.port, f"/{script.execution_id}", headers=headers) as response:
        assert response.headers["connection"] == "close"
        await response.numbers_until(1)
        await script.finish()
        assert await response.numbers_until() == [2]
        assert await response.connection_ends()
    await nothing_is_left(stage)


@pytest.mark.parametrize("together", [True, False])
async def test_a_further_request_is_answered_after_the_stream(stage: Stage, together: bool) -> None:
    script = await stage.script(events=2)
    first, second = head_of(f"/{script.execution_id}"), head_of(f"/{script.execution_id}?limit=x")
    connection = await open_connection(stage.port)
    connection.write(first + second if together else first)
    count = 0
    async for response in responses(connection, 2):
        count += 1
        if count == 1:
            assert await response.numbers_until(2) == [1, 2]
            if not together:
                connection.write(second)
            await script.append(2)
            assert await response.numbers_until(4) == [3, 4]
            await script.finish()
            assert await response.numbers_until() == [5]
        else:
            assert response.status == 400
            await response.read_all()
    assert count == 2
    await connection.close()
    await nothing_is_left(stage)


async def test_half_a_further_request_does_not_disturb_the_stream(stage: Stage) -> None:
    script = await stage.script(events=2)
    target = f"/{script.execution_id}"
    connection = await open_connection(stage.port)
    connection.write(head_of(target) + head_of(target)[:30])
    count = 0
    async for response in responses(connection, 2):
        count += 1
        if count == 1:
            await response.numbers_until(2)
            await script.finish()
            assert await response.numbers_until() == [3]
            connection.write(head_of(target)[30:])
        else:
            assert await response.numbers_until() == [1, 2, 3]
    assert count == 2
    await connection.close()
    await nothing_is_left(stage)


async def test_bytes_that_are_no_request_are_never_answered_within_the_stream(
    stage: Stage, lane: bool
) -> None:
    script = await stage.script(events=2)
    connection = await open_connection(stage.port)
    connection.write(head_of(f"/{script.execution_id}"))
    async for response in responses(connection, 1):
        await response.numbers_until(2)
        connection.write(b"\x00\xff what is this\r\n\r\n")
        if lane:  # nobody looks at them before the stream is over
            await script.finish()
            assert await response.numbers_until() == [3]
        else:
            with pytest.raises(CutOff):
                await response.read_all()
            assert response.body.endswith(b"\n\n")
    if lane:
        async for response in responses(connection, 1):
            assert response.status == 400
    await connection.close()
    await nothing_is_left(stage)


async def test_bytes_without_end_are_left_in_the_client(open_stage: OpenStage) -> None:
    # A client whose bytes are not read is only known to have gone when it is written to.
    async with open_stage(StreamingOptions(heartbeat_seconds=0.05)) as stage:
        script = await stage.script(events=2)
        connection = await open_connection(stage.port)
        connection.write(head_of(f"/{script.execution_id}"))
        async for response in responses(connection, 1):
            await response.numbers_until(2)
            flood = 16 * 1024 * 1024  # more than the kernel takes for both sides
            connection.write(head_of("/x", method="POST", headers={"Content-Length": str(flood)}))
            connection.write(b"x" * flood)
            await script.append(5)
            assert await response.numbers_until(7) == [3, 4, 5, 6, 7]
            await asyncio.sleep(0.1)
            assert connection.unsent_bytes > flood // 4
            await script.finish()
            assert await response.numbers_until() == [8]
        connection.abort()
        await nothing_is_left(stage)


async def test_a_client_that_closes_its_half_is_gone(stage: Stage) -> None:
    script = await stage.script(events=2)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        await response.numbers_until(2)
        response.end_sending()
        await nothing_is_left(stage)


async def test_a_reset_in_the_middle_of_a_frame_frees_the_stream(open_stage: OpenStage) -> None:
    async with open_stage(send_buffer_bytes=4096) as stage:
        script = await stage.script()
        await script.append(2_000, padding=1_000)
        with socket.create_connection(("127.0.0.1", stage.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(head_of(f"/{script.execution_id}"))
            await until(lambda: stage.hub.counters.events_delivered > 0)
        await nothing_is_left(stage)
        assert stage.hub.counters.drops == 0


async def test_a_client_that_takes_one_byte_at_a_time_gets_everything(stage: Stage) -> None:
    script = await stage.script(events=5, finished=True)

    def read_slowly() -> bytes:
        with socket.create_connection(("127.0.0.1", stage.port)) as connection:
            connection.sendall(head_of(f"/{script.execution_id}", version="1.0"))
            return b"".join(iter(lambda: connection.recv(1), b""))

    _, _, body = (await asyncio.to_thread(read_slowly)).partition(b"\r\n\r\n")
    events = SSEDecoder().feed(body)
    assert [event.id for event in events] == ["", "1", "2", "3", "4", "5", "6"]
    await nothing_is_left(stage)


@pytest.mark.parametrize("say", [b"", b"GET /", b"GET /x HTTP/1.1\r\nHost"])
async def test_a_client_that_says_nothing_or_half_of_it_and_leaves_costs_nothing(
    stage: Stage, say: bytes
) -> None:
    for _ in range(20):
        connection = await open_connection(stage.port)
        connection.write(say)
        await connection.close()
    await nothing_is_left(stage)


async def test_a_storm_of_streams_that_open_and_close_leaves_nothing(stage: Stage) -> None:
    script = await stage.script(events=30)

    async def come_and_go(number: int) -> None:
        connection = await open_connection(stage.port)
        connection.write(head_of(f"/{script.execution_id}?last_event_id={number % 31}"))
        if number % 3:
            await connection.read(1 + number * 7 % 3_000)
        if number % 2:
            connection.abort()
        await connection.close()

    async def storm() -> int:
        for first in range(0, 300, 50):
            await asyncio.gather(*(come_and_go(number) for number in range(first, first + 50)))
            await script.append(1)
        await nothing_is_left(stage)
        return open_sockets()

    before = await storm()
    await storm()
    await until(lambda: open_sockets() <= before)


async def test_a_slow_reader_holds_no_more_than_its_buffer(
    open_stage: OpenStage, lane: bool
) -> None:
    options = StreamingOptions(buffer_bytes=SMALL, page_bytes=SMALL)
    async with open_stage(options, send_buffer_bytes=SMALL) as stage:
        script = await stage.script(events=1)
        idle = [IdleReader(stage.port, f"/{script.execution_id}") for _ in range(5)]
        await until(lambda: stage.hub.gauges().level == len(idle))
        held = 0
        for _ in range(300):
            await script.append(7, padding=700)
            for connection in tuple(stage.server.uvicorn.server_state.connections):
                held = max(held, connection.transport.get_write_buffer_size())
        assert held <= SMALL + (0 if lane else 65_536)  # uvicorn's own
        for one in idle:
            one.close()
        await nothing_is_left(stage)


async def test_a_stream_ends_on_a_whole_frame_when_the_http_server_shuts_down(
    stage: Stage, lane: bool
) -> None:
    script = await stage.script(events=2)
    async with await request(stage.port, f"/{script.execution_id}") as response:
        await response.numbers_until(2)
        for connection in tuple(stage.server.uvicorn.server_state.connections):
            connection.shutdown()  # type: ignore[no-untyped-call, unused-ignore]
        if not lane:  # there uvicorn only waits
            stage.hub.close()
        assert await response.numbers_until() == []
        assert response.body.split(b"\n\n")[-2].startswith(b"retry: ")
        if lane:
            assert await response.connection_ends()
    await nothing_is_left(stage)


async def test_a_stream_over_tls_is_the_same(open_stage: OpenStage, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    key = tmp_path / "server.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(key))
    options = StreamingOptions(buffer_bytes=SMALL, page_bytes=SMALL)
    async with open_stage(options, ssl_certfile=key) as stage:
        script = await stage.script(events=700)
        target = f"/{script.execution_id}"
        async with await request(stage.port, target, tls=trusting) as response:
            assert await response.numbers_until(700) == list(range(1, 701))
            await script.append(300, padding=1_000, batch=7)
            assert (await response.numbers_until(1_000))[-1] == 1_000
            await script.finish()
            assert await response.numbers_until() == [1_001]
        async with await request(stage.port, target, tls=trusting) as response:
            await response.next_event()
        await nothing_is_left(stage)


async def test_a_reader_that_takes_a_little_now_and_then_is_kept_on_its_socket(
    open_stage: OpenStage,
) -> None:
    stalled_seconds = 1.0
    options = StreamingOptions(
        buffer_bytes=SMALL, page_bytes=SMALL, stalled_reader_seconds=stalled_seconds
    )
    async with open_stage(options, send_buffer_bytes=SMALL) as stage:
        script = await stage.script(events=1)
        await script.append(500, padding=1_000)
        idle = IdleReader(stage.port, f"/{script.execution_id}")
        async with await idle.start_reading(read_limit_bytes=4096) as response:
            numbers: list[int] = []
            for _ in range(20):
                await asyncio.sleep(stalled_seconds / 10)
                numbers += await response.numbers_until(len(numbers) + 8)
            assert stage.hub.gauges().subscriptions == 1
            await script.finish()
            numbers += await response.numbers_until()
        assert numbers == list(range(1, script.length + 1))
        assert stage.hub.counters.drops == 0
        await nothing_is_left(stage)


async def test_a_stalled_reader_on_a_connection_that_was_not_taken_over_is_dropped(
    open_stage: OpenStage, lane: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if not lane:
        return  # a server without our extensions cannot abort
    options = StreamingOptions(stalled_reader_seconds=0.3)
    async with open_stage(options, send_buffer_bytes=SMALL) as stage:
        script = await stage.script()
        await script.append(2_000, padding=1_000)
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", stage.port))
            connection.sendall(head_of(f"/{script.execution_id}") + b"GET")
            await until(lambda: stage.hub.counters.drops == 1)
            await nothing_is_left(stage)
        assert "without completing response" not in caplog.text


async def test_a_reader_that_takes_nothing_of_a_quiet_stream_is_dropped(
    open_stage: OpenStage, lane: bool
) -> None:
    if not lane:
        return  # there the server does not know before its own buffer is full
    options = StreamingOptions(heartbeat_seconds=0.05, stalled_reader_seconds=0.2)
    async with open_stage(options, send_buffer_bytes=SMALL) as stage:
        script = await stage.script(events=1)
        idle = IdleReader(stage.port, f"/{script.execution_id}")
        await until(lambda: stage.hub.gauges().level == 1)
        await script.append(1, padding=60_000)
        await until(lambda: stage.hub.counters.drops == 1)
        async with await idle.start_reading() as slow:
            with pytest.raises(CutOff):
                await slow.read_all()
        await nothing_is_left(stage)


async def test_a_stream_ends_with_its_connection_also_if_a_request_waits_behind_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    script = await stage.script(events=3)
    connection = await open_connection(stage.port)
    connection.write(head_of(f"/{script.execution_id}") + head_of("/behind"))
    async for response in responses(connection, 1):
        await response.numbers_until(3)
        connection.end_sending()
    await nothing_is_left(stage)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_is_no_request_ends_a_stream_that_a_request_waits_behind(stage: Stage) -> None:
    script = await stage.script(events=3)
    connection = await open_connection(stage.port)
    connection.write(head_of(f"/{script.execution_id}") + head_of("/behind"))
    async for response in responses(connection, 1):
        await response.numbers_until(3)
        connection.write(b"no request\r\n\r\n")
        with pytest.raises(CutOff):
            await response.read_all()
        assert b"HTTP/1.1 400" not in response.body
    await connection.close()
    await nothing_is_left(stage)
