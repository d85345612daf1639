"""Readers that follow with our own libraries."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from flowmaestro import AsyncFlowMaestroClient, FlowMaestroClient
from flowmaestro.events import EXTENSION_TYPES, Event, decode_event, encode_event
from torture.oracle import Frame
from torture.process import send_signal
from torture.subject import Address

TYPESCRIPT_SDK = Path(__file__).parents[3] / "sdk" / "typescript" / "dist" / "index.js"
_FOLLOW = Path(__file__).with_name("follow.mjs")
_INCLUDE = sorted(EXTENSION_TYPES)
_STALL_SECONDS = 5.0
_ANY_NUMBER = 1_000_000
_MAX_LINE_BYTES = 16 * 1024 * 1024


async def follow_on_loop(key: str, server: Address, execution: str, recording: list[Frame]) -> None:
    """Follow *execution* with the asynchronous client."""
    async with AsyncFlowMaestroClient(
        api_key=key, base_url=server.url, stall_seconds=_STALL_SECONDS
    ) as client:
        stream: AsyncIterator[Any] = client.executions.stream(
            execution, include=_INCLUDE, max_reconnects=_ANY_NUMBER
        )
        async for event in stream:
            recording.append(_frame(event))


async def follow_in_thread(
    key: str, server: Address, execution: str, recording: list[Frame]
) -> None:
    """Follow *execution* with the synchronous client, in a thread.

    Cancelling closes the client, which ends the thread.
    """
    with FlowMaestroClient(
        api_key=key, base_url=server.url, stall_seconds=_STALL_SECONDS
    ) as client:
        stream = client.executions.stream(execution, include=_INCLUDE, max_reconnects=_ANY_NUMBER)

        def follow(events: Iterator[Any]) -> None:
            for event in events:
                recording.append(_frame(event))

        try:
            await asyncio.to_thread(follow, stream)
        finally:
            stream.close()


async def follow_with_node(
    key: str, server: Address, execution: str, recording: list[Frame]
) -> None:
    """Follow *execution* with the TypeScript SDK, in a process of Node's.

    Raises:
        ChildProcessError: it failed; the message is the last line that it said.

    Cancelling ends the process.
    """
    process = await asyncio.create_subprocess_exec(
        *("node", str(_FOLLOW), str(TYPESCRIPT_SDK), server.url, execution),
        *(",".join(_INCLUDE), str(int(_STALL_SECONDS * 1000))),
        env={**os.environ, "FLOWMAESTRO_API_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_MAX_LINE_BYTES,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        while line := await process.stdout.readline():
            number, _, data = line.partition(b" ")
            recording.append(_frame(decode_event(data, int(number))))
        if await process.wait():
            said = (await process.stderr.read()).decode(errors="replace").strip()
            raise ChildProcessError(said or f"it ended with {process.returncode}")
    finally:
        send_signal(process, signal.SIGKILL)
        await process.wait()


def _frame(event: Event) -> Frame:
    """Return what the log must hold for *event*: an SDK hands out values, not bytes."""
    assert event.number is not None
    return Frame(event.number, event.type, encode_event(event).encode())
