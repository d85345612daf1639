"""The asynchronous stream: drives :mod:`flowmaestro.client.resume` on an asyncio event loop."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Self

import httpx2

from flowmaestro.client.calls import StreamCall
from flowmaestro.client.errors import RequestTimeout
from flowmaestro.client.options import ClientOptions
from flowmaestro.client.resume import (
    Deliver,
    Head,
    Open,
    Read,
    Reconnecting,
    Reply,
    Resumption,
    StreamEvent,
)
from flowmaestro.client.transport import (
    response_headers,
    resume_options,
    stream_arguments,
    translate,
)

OnReconnect = Callable[[Reconnecting], None]


class AsyncEventStream:
    """The events of one execution, in order, each once; it ends after the terminal event.

    Iterate over it with ``async for``, or leave it early: :meth:`aclose`, ``async with`` and a
    cancellation free the connection before they return, ``break`` alone on the event loop's next
    turn. It is used up when it ends.
    """

    def __init__(self, lane: AsyncLane) -> None:
        # The generator must not know this object: a cycle would keep a stream that was left with
        # `break` open until the garbage collector comes by.
        self._lane = lane
        self._events = _follow(lane)

    @property
    def last_event_id(self) -> int:
        """The number of the last event received: the cursor to go on from later."""
        return self._lane.resumption.last_event_id

    async def aclose(self) -> None:
        """Stop, and free the connection. From another task it also ends the iteration there."""
        await self._lane.interrupt()
        with contextlib.suppress(RuntimeError):  # another task is inside, and will leave
            await self._events.aclose()

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class AsyncLane:
    """One stream's connection, if it has one."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        options: ClientOptions,
        call: StreamCall,
        *,
        max_reconnects: int | None,
        timeout_seconds: float | None,
        on_reconnect: OnReconnect | None,
    ) -> None:
        self.resumption = Resumption(
            resume_options(options, max_reconnects=max_reconnects, timeout_seconds=timeout_seconds),
            last_event_id=call.last_event_id,
            clock=time.monotonic,
            random=random.random,
        )
        self.stopped = asyncio.Event()
        self._http = http
        self._options = options
        self._call = call
        self._on_reconnect = on_reconnect
        self._response: httpx2.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def open(self, action: Open) -> Reply:
        await self.release()
        request = self._http.build_request(**stream_arguments(self._options, self._call, action))
        try:
            async with asyncio.timeout(action.timeout_seconds):
                response = await self._http.send(request, stream=True, follow_redirects=False)
        except httpx2.HTTPError as error:
            return translate(self._options, error)
        except TimeoutError as error:
            return _timed_out(error)
        self._response, self._chunks = response, response.aiter_bytes()
        return Head(response.status_code, response_headers(response))

    async def read(self, action: Read) -> Reply:
        if self._chunks is None:  # closed by another task
            return b""
        try:
            async with asyncio.timeout(action.timeout_seconds):
                async for chunk in self._chunks:
                    if chunk:
                        return chunk
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            return translate(self._options, error)
        except TimeoutError as error:
            return _timed_out(error)
        return b""

    async def pause(self, action: Reconnecting) -> None:
        await self.release()
        if self._on_reconnect is not None:
            self._on_reconnect(action)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(action.delay_seconds):
                await self.stopped.wait()

    async def release(self) -> None:
        response, self._response, self._chunks = self._response, None, None
        if response is not None:
            await response.aclose()

    async def interrupt(self) -> None:
        """Stop for good; wakes the task that reads or waits."""
        self.stopped.set()
        await self.release()


async def _follow(lane: AsyncLane) -> AsyncGenerator[StreamEvent, None]:
    actions = lane.resumption.run()
    reply: Reply = None
    try:
        while not lane.stopped.is_set():
            try:
                action = actions.send(reply)
            except StopIteration:
                return
            reply = None
            match action:
                case Open():
                    reply = await lane.open(action)
                case Read():
                    reply = await lane.read(action)
                case Deliver():
                    yield action.event
                case Reconnecting():
                    await lane.pause(action)
    finally:
        await lane.release()


def _timed_out(error: TimeoutError) -> RequestTimeout:
    translated = RequestTimeout("The server took too long to answer.")
    translated.__cause__ = error
    return translated
