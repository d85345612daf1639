"""Readers that follow with the Python SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from flowmaestro import AsyncFlowMaestroClient, FlowMaestroClient
from flowmaestro.events import EXTENSION_TYPES, Event, encode_event
from torture.oracle import Frame
from torture.subject import Address

_INCLUDE = sorted(EXTENSION_TYPES)
_STALL_SECONDS = 5.0
_ANY_NUMBER = 1_000_000


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


def _frame(event: Event) -> Frame:
    """Return what the log must hold for *event*: the SDK hands out values, not bytes."""
    assert event.number is not None
    return Frame(event.number, event.type, encode_event(event).encode())
