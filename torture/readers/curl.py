"""A reader that everybody has."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from random import Random

from torture.oracle import Frame
from torture.process import send_signal
from torture.readers.plain import STALL_SECONDS
from torture.readers.stream import Connection, Ended
from torture.subject import Address, Request, Subject, View
from torture.wire import parse_head

_MAX_PAUSE_SECONDS = 0.2


async def follow_with_curl(
    subject: Subject,
    server: Address,
    execution: str,
    view: View,
    recording: list[Frame],
    *,
    random: Random,
) -> None:
    """Follow *execution* to its end with one ``curl`` after another.

    Raises:
        WireError, Refused: the server sent what no cut explains.

    Cancelling ends the process.
    """
    while True:
        cursor = recording[-1].number if recording else 0
        request = subject.stream(execution, cursor, view)
        connection = Connection(subject, recording)
        with contextlib.suppress(asyncio.IncompleteReadError):
            try:
                await _run(server, request, connection)
            except Ended:
                return
        if connection.terminal:
            return
        await asyncio.sleep(random.uniform(0, _MAX_PAUSE_SECONDS))


async def _run(server: Address, request: Request, connection: Connection) -> None:
    headers = [part for item in request.headers.items() for part in ("-H", ": ".join(item))]
    stall = ["--speed-limit", "1", "--speed-time", str(int(STALL_SECONDS))]
    process = await asyncio.create_subprocess_exec(
        "curl",
        *("--silent", "--no-buffer", "--include", "--noproxy", "*"),
        *stall,
        *headers,
        f"{server.url}{request.path}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        status, _ = parse_head(await process.stdout.readuntil(b"\r\n\r\n"))
        if connection.begin(status):
            while data := await process.stdout.read(65_536):
                connection.take(data)
    finally:
        send_signal(process, signal.SIGKILL)
        await process.wait()
