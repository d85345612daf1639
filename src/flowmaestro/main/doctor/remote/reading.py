"""A stream that is read in a thread: what came, and when."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx2

from flowmaestro.events import ServerSentEvent, SSEDecoder, SSEEventTooLarge


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame, and when it came."""

    number: int
    """Its event's; 0 for the frame that opens a stream."""
    name: str
    sent: float | None
    """The event's own moment, in seconds since 1970 by the server's clock."""
    came: float
    """In seconds since 1970 by ours."""


class StreamReading:
    """Opens a stream, and reads it until :meth:`close` or its end. A context manager.

    Args:
        url: the stream.
        headers: of the request.
        silence_seconds: how long it may say nothing at all before it counts as broken.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, silence_seconds: float) -> None:
        self._url = url
        self._headers = dict(headers)
        self._timeout = httpx2.Timeout(10.0, read=silence_seconds)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="doctor-stream", daemon=True)
        self.status: int | None = None
        """The response's status, once its head has come."""
        self.response_headers: Mapping[str, str] = {}
        self.arrivals: list[Arrival] = []
        self.heartbeats: list[float] = []
        """When comment lines came, by the monotonic clock."""
        self.ended_after: float | None = None
        """After how many seconds the response was over, if it is."""
        self.error: str | None = None
        """Why, if that was no clean end."""
        self._opened = time.monotonic()

    @property
    def newest(self) -> int:
        """The highest number that has come."""
        return max((arrival.number for arrival in self.arrivals), default=-1)

    @property
    def over(self) -> bool:
        return self.ended_after is not None

    def wait_for(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait until *condition* holds, which is asked whenever something came; return whether it
        does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_seconds)

    def close(self) -> None:
        """Read no further. The connection is let go of with its next bytes, or the process."""
        self._closing.set()

    def __enter__(self) -> Self:
        self._opened = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        error: str | None = None
        try:
            with (
                httpx2.Client(timeout=self._timeout) as http,
                http.stream("GET", self._url, headers=self._headers) as response,
            ):
                with self._changed:
                    self.status = response.status_code
                    self.response_headers = dict(response.headers)
                    self._changed.notify_all()
                decoder = SSEDecoder()
                for chunk in response.iter_bytes():
                    if self._closing.is_set():
                        return
                    self._take(chunk, decoder.feed(chunk))
        except (httpx2.HTTPError, SSEEventTooLarge) as failure:
            error = str(failure) or type(failure).__name__
        finally:
            with self._changed:
                self.error = error
                self.ended_after = time.monotonic() - self._opened
                self._changed.notify_all()

    def _take(self, chunk: bytes, frames: list[ServerSentEvent]) -> None:
        came = time.time()
        with self._changed:
            if not frames and chunk.lstrip(b"\n").startswith(b":"):
                self.heartbeats.append(time.monotonic())
            for frame in frames:
                number = int(frame.id) if frame.id.isdecimal() and frame.event != "connected" else 0
                self.arrivals.append(Arrival(number, frame.event, _moment(frame.data), came))
            self._changed.notify_all()


def _moment(data: str) -> float | None:
    try:
        return datetime.fromisoformat(json.loads(data)["timestamp"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return None
