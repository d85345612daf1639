"""Beginning executions over connections that fail, until there is an answer."""

from __future__ import annotations

import asyncio
from random import Random

from torture.subject import Address, Request, Subject
from torture.wire import send

_ANSWER_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 0.1


async def begin(subject: Subject, server: Address, random: Random) -> str:
    """Begin an execution, however often it takes, and return its id.

    Raises:
        ValueError: the request was refused for good.
        WireError: the answer is no HTTP.
    """
    request = subject.execution(random)
    while True:
        status, body = await _ask(server, request, random)
        if (execution := subject.accepted(status, body)) is not None:
            return execution


async def cancel(subject: Subject, server: Address, execution: str, random: Random) -> None:
    """End *execution* early, at some moment, unless it has ended by itself."""
    await asyncio.sleep(random.uniform(0, 0.5))
    if (request := subject.cancel(execution)) is not None:
        await _ask(server, request, random)


async def _ask(server: Address, request: Request, random: Random) -> tuple[int, bytes]:
    """Return the first whole answer that is no 5xx."""
    while True:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                response = await send(server, request)
                try:
                    body = await response.whole()
                finally:
                    response.abort()
            if response.status < 500:
                return response.status, body
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        await asyncio.sleep(random.uniform(0, _MAX_PAUSE_SECONDS))
