"""The synchronous stream: drives :mod:`flowmaestro.client.resume` over blocking sockets."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Self

import httpx2

from flowmaestro.client.calls import StreamCall
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


class EventStream:
    """The events of one execution, in order, each once; it ends after the terminal event.

    Iterate over it, or leave it early: ``break`` frees the connection at once, as do
    :meth:`close`, ``with`` and Ctrl-C. It is used up when it ends.
    """

    def __init__(self, lane: Lane) -> None:
        # The generator must not know this object: a cycle would keep a stream that was left with
        # `break` open until the garbage collector comes by.
        self._lane = lane
        self._events = _follow(lane)

    @property
    def last_event_id(self) -> int:
        """The number of the last event received: the cursor to go on from later."""
        return self._lane.resumption.last_event_id

    def close(self) -> None:
        """Stop, and free the connection. From another thread it also ends the iteration there."""
        self._lane.interrupt()
        with contextlib.suppress(ValueError):  # another thread is inside, and will leave
            self._events.close()

    def __iter__(self) -> Iterator[StreamEvent]:
        return self

    def __next__(self) -> StreamEvent:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Lane:
    """One stream's connection, if it has one."""

    def __init__(
        self,
        http: httpx2.Client,
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
        self.stopped = threading.Event()
        self._http = http
        self._options = options
        self._call = call
        self._timeout_seconds = timeout_seconds
        self._on_reconnect = on_reconnect
        self._response: httpx2.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def open(self, action: Open) -> Reply:
        self.release()
        request = self._http.build_request(**stream_arguments(self._options, self._call, action))
        try:
            response = self._http.send(request, stream=True, follow_redirects=False)
        except httpx2.HTTPError as error:
            return translate(self._options, error)
        self._response, self._chunks = response, response.iter_bytes()
        return Head(response.status_code, response_headers(response))

    def read(self) -> Reply:
        try:
            return next(filter(None, self._chunks), b"")
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            return translate(self._options, error)

    def pause(self, action: Reconnecting) -> None:
        self.release()
        if self._on_reconnect is not None:
            self._on_reconnect(action)
        self.stopped.wait(action.delay_seconds)

    def release(self) -> None:
        response, self._response, self._chunks = self._response, None, iter(())
        if response is not None:
            response.close()

    def interrupt(self) -> None:
        """Stop for good; wakes the thread that reads or waits."""
        self.stopped.set()
        self.break_connection()

    @contextlib.contextmanager
    def deadline(self) -> Iterator[None]:
        """Break the connection when the caller's time is over, for the resumption to notice.

        A blocking read cannot be given a deadline: its timeout starts anew with each heartbeat.
        """
        if self._timeout_seconds is None:
            yield
            return
        timer = threading.Timer(self._timeout_seconds, self.break_connection)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def break_connection(self) -> None:
        response = self._response
        stream: Any = response.extensions.get("network_stream") if response is not None else None
        connection = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(connection, socket.socket):
            # Not close(), which does not wake a blocked read; and not the method of an SSLSocket,
            # which would take the session from under that read.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _follow(lane: Lane) -> Generator[StreamEvent, None, None]:
    actions = lane.resumption.run()
    reply: Reply = None
    try:
        action = next(actions)  # starts the resumption's own clock, which the timer must not outrun
        with lane.deadline():
            while not lane.stopped.is_set():
                match action:
                    case Open():
                        reply = lane.open(action)
                    case Read():
                        reply = lane.read()
                    case Deliver():
                        yield action.event
                        reply = None
                    case Reconnecting():
                        lane.pause(action)
                        reply = None
                try:
                    action = actions.send(reply)
                except StopIteration:
                    return
    finally:
        lane.release()
