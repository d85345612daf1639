"""A reader on a plain socket that resumes with its cursor and does nothing clever."""

from __future__ import annotations

import asyncio
from random import Random

from torture.oracle import Frame
from torture.readers.habits import Habits
from torture.readers.stream import Connection, Ended
from torture.subject import Address, Subject, View
from torture.wire import send

STALL_SECONDS = 5.0
"""Without a byte, not even a comment, the connection counts as dead."""


async def follow(
    subject: Subject,
    server: Address,
    execution: str,
    view: View,
    recording: list[Frame],
    *,
    habits: Habits,
    random: Random,
) -> None:
    """Follow *execution* to its end, and add each event to *recording* as it comes.

    Raises:
        WireError, Refused: the server sent what no cut explains.

    Cancelling drops the connection.
    """
    await asyncio.sleep(random.uniform(0, habits.comes_after_seconds))
    while True:
        try:
            if await _connect(subject, server, execution, view, recording, habits, random):
                return
        except Ended:
            return
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        await asyncio.sleep(random.uniform(0, habits.returns_after_seconds))


async def _connect(
    subject: Subject,
    server: Address,
    execution: str,
    view: View,
    recording: list[Frame],
    habits: Habits,
    random: Random,
) -> bool:
    """Follow on one connection; return whether the terminal event came, and the answer's end after
    it."""
    cursor = recording[-1].number if recording else 0
    connection = Connection(subject, recording)
    leaves_after = habits.frames(random)
    async with asyncio.timeout(STALL_SECONDS) as stall:
        response = await send(
            server,
            subject.stream(execution, cursor, view),
            receive_buffer_bytes=habits.receive_buffer_bytes,
        )
        try:
            if not connection.begin(response.status):
                return False
            async for data in response.body(habits.bytes_at_a_time):
                stall.reschedule(asyncio.get_running_loop().time() + STALL_SECONDS)
                connection.take(data)
                if leaves_after is not None and connection.frames > leaves_after:
                    break
                await asyncio.sleep(habits.pause_seconds)
        finally:
            response.abort()
    return connection.terminal
