"""A connection is cut after every number of bytes that a stream has, and the reader comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from flowmaestro import AsyncFlowMaestroClient
from flowmaestro.client.backoff import Backoff
from flowmaestro.events import EXTENSION_TYPES, encode_event
from tests.support.server import LiveServer, live_server
from torture.oracle import Frame, check_recording
from torture.proxy import Proxy, Trouble, TroubleKind
from torture.readers import Habits, follow
from torture.subject import Address
from torture.subjects import FlowMaestro
from torture.wire import send

DEFINITION = {
    "name": "Two nodes",
    "nodes": {
        "first": {"type": "transform", "config": {"value": "é → {{ 1 + 1 }}"}},
        "second": {"type": "transform", "config": {"value": "{{ first }}"}},
    },
    "edges": [{"source": "first", "target": "second"}],
}
PATIENT = Habits("patient", returns_after_seconds=0)


async def finished_execution(server: LiveServer) -> str:
    async with AsyncFlowMaestroClient(api_key=server.key, base_url=server.base_url) as client:
        workflow = await client.workflows.create(DEFINITION)
        execution = await client.workflows.execute(workflow.id)
        await client.executions.wait_for_completion(execution.execution_id)
        return execution.execution_id


def address_of(server: LiveServer) -> Address:
    host, _, port = server.base_url.removeprefix("http://").partition(":")
    return Address(host, int(port))


async def log_of(server: LiveServer, execution: str) -> list[Frame]:
    records = await server.parts.storage.log.read(execution, after=0, limit=1_000)
    return [Frame(record.number, record.type, record.data.encode()) for record in records]


def cut_once(kind: TroubleKind, after_bytes: int) -> Callable[[], Trouble]:
    """Return what gives the first connection trouble, and no other."""
    troubles: Iterator[Trouble] = iter([Trouble(kind, after_bytes)])
    return lambda: next(troubles, Trouble())


Follow = Callable[[Address, list[Frame]], Awaitable[None]]


async def follow_with_sdk(
    server: LiveServer, execution: str, address: Address, recording: list[Frame]
) -> None:
    backoff = Backoff(base_seconds=0.0, max_seconds=0.0)
    async with AsyncFlowMaestroClient(
        api_key=server.key, base_url=address.url, backoff=backoff
    ) as client:
        async for event in client.executions.stream(execution, include=sorted(EXTENSION_TYPES)):
            assert event.number is not None
            recording.append(Frame(event.number, event.type, encode_event(event).encode()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["close", "reset"])
@pytest.mark.parametrize("reader", ["socket", "SDK"])
async def test_a_cut_after_any_byte_loses_and_repeats_nothing(
    tmp_path: Path, kind: TroubleKind, reader: str
) -> None:
    async with live_server(tmp_path) as server:
        execution = await finished_execution(server)
        log = await log_of(server, execution)
        subject = FlowMaestro(server.key)
        everything = subject.views[0]
        response = await send(address_of(server), subject.stream(execution, 0, everything))
        length = len(await response.whole()) + 1_000  # and its head, and how it is chunked
        response.abort()
        follow_stream: Follow
        if reader == "SDK":
            follow_stream = partial(follow_with_sdk, server, execution)
            step = 3  # a client for each cut is dear
        else:
            step = 1

            async def follow_stream(address: Address, recording: list[Frame]) -> None:
                await follow(
                    subject,
                    address,
                    execution,
                    everything,
                    recording,
                    habits=PATIENT,
                    random=Random(0),
                )

        cuts = 0
        for after_bytes in range(0, length, step):
            async with Proxy(address_of(server), cut_once(kind, after_bytes)) as proxy:
                recording: list[Frame] = []
                await follow_stream(proxy.address, recording)
                cuts += proxy.counts["none"] > 0
            assert list(check_recording(f"cut at {after_bytes}", log, recording)) == []
        assert cuts > length // step // 2, "hardly a connection was cut"
