"""Following a stream through disconnects, without I/O: the one place that knows when to reconnect.

:meth:`Resumption.run` is a generator that both clients drive. It yields an action and is sent the
reply to it:

=====================  =============================================================================
:class:`Open`          send the request; reply: its :class:`Head`, or a :class:`TransportError`
:class:`Read`          take the next bytes of the body; reply: they, ``b""`` at its end, or a
                       :class:`TransportError` (:class:`RequestTimeout`: nothing came)
:class:`Deliver`       hand the event to the caller; no reply
:class:`Reconnecting`  close the response, if one is open, then wait; no reply
=====================  =============================================================================

It returns when the execution has ended, and raises when reconnecting cannot help. Close it to stop.

What ends a stream: its terminal event, or the status 204, which says that there is nothing after
the cursor. Everything else is a disconnect, a clean end of the response too, and the stream goes on
from the cursor: after 408, 425, 429 and every 5xx, after network errors, and when nothing came for
``stall_seconds``. Other statuses raise. What no stream carries (data that is no event, numbers that
run backwards, a web page) is a disconnect the first time, and raises when it comes again at the
same cursor; an event over the decoder's limit raises at once.

The vectors of ``protocol/vectors/resume.json`` hold it to this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flowmaestro.client.answers import Answer, read_error
from flowmaestro.client.backoff import Backoff, Random
from flowmaestro.client.errors import (
    APIError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowMaestroError,
    RequestTimeout,
    StreamInterrupted,
    StreamProtocolError,
    StreamStalled,
    TransportError,
)
from flowmaestro.events import (
    Connected,
    EventDecodeError,
    InvalidCursor,
    LoggedEvent,
    ServerSentEvent,
    SSEDecoder,
    SSEEventTooLarge,
    UnknownEvent,
    decode_event,
    parse_cursor,
)

StreamEvent: TypeAlias = LoggedEvent | UnknownEvent
"""What a stream yields: typed by ``type``; types of a newer server come as ``UnknownEvent``."""

Clock = Callable[[], float]
"""Returns seconds that only ever grow."""

_MEDIA_TYPE: Final = "text/event-stream"
_RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
_MAX_ERROR_BYTES: Final = 65_536
_MIN_GROWING_BASE_SECONDS: Final = 0.05
"""From the second wait on; a server's ``retry: 0`` must not become a loop without pauses."""


@dataclass(frozen=True, slots=True)
class Open:
    """Request the events after ``last_event_id``, within ``timeout_seconds`` if that is given."""

    last_event_id: int
    timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class Read:
    """Take the next bytes, within ``timeout_seconds`` if given and the stall timer anyway."""

    timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand ``event`` to the caller."""

    event: StreamEvent


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The stream broke off and will be opened again."""

    reason: FlowMaestroError
    delay_seconds: float
    last_event_id: int
    """The number of the last event delivered: the stream goes on after it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]


Action: TypeAlias = Open | Read | Deliver | Reconnecting
Reply: TypeAlias = Head | bytes | TransportError | None


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """When to give up, and how long to wait before that."""

    backoff: Backoff = field(default_factory=Backoff)
    """Its base is replaced by the server's ``retry:``."""
    stall_seconds: float = 45.0
    """Only told in errors: whoever drives the generator keeps the time of a single read."""
    max_reconnects: int | None = None
    """How many reconnects in a row may bring no event; ``None`` is any number."""
    max_first_reconnects: int = 3
    """The same before any server answered and for connections that could not be made, if
    ``max_reconnects`` is ``None``: a wrong address should not be waited for."""
    max_retry_after_seconds: float = 120.0
    """A server that asks to wait longer than this gets its error raised instead."""
    timeout_seconds: float | None = None
    """How long the whole stream may take."""


class Resumption:
    """One stream, through any number of connections.

    ``last_event_id`` is its cursor: the number of the last event delivered.
    """

    def __init__(
        self, options: ResumeOptions, *, last_event_id: int, clock: Clock, random: Random
    ) -> None:
        self.last_event_id = last_event_id
        self._options = options
        self._clock = clock
        self._random = random
        self._deadline: float | None = None
        self._failures = 0  # in a row without progress
        self._last_failure: FlowMaestroError | None = None
        self._answered = False
        self._retry_ms: int | None = None
        self._violated_at: int | None = None  # the cursor at which the last violation was seen

    def run(self) -> Generator[Action, Reply, None]:
        """Follow the stream to the execution's end; see the module's text.

        Raises:
            APIError: the server refused, and asking again cannot help.
            UnexpectedResponse: no FlowMaestro server answered.
            StreamProtocolError: the server sent twice what no stream carries.
            DeadlineExceeded: ``timeout_seconds`` are over.
            TransportError, StreamError: the last failure, once reconnects are used up.
        """
        if self._options.timeout_seconds is not None:
            self._deadline = self._clock() + self._options.timeout_seconds
        while (failure := (yield from self._connect())) is not None:
            self._last_failure = failure
            yield self._reconnecting(failure)

    def _connect(self) -> Generator[Action, Reply, FlowMaestroError | None]:
        """Open the stream once; return ``None`` at the execution's end, else what went wrong."""
        reply = yield Open(self.last_event_id, self._remaining_seconds())
        if isinstance(reply, TransportError):
            return reply
        assert isinstance(reply, Head), "an opened request has a head"
        self._answered = True
        if reply.status == 204:
            return None
        if not 200 <= reply.status < 300:
            body = yield from self._read_error_body()
            error = read_error(Answer(reply.status, reply.headers, body))
            if isinstance(error, APIError) and _is_retryable(error.status):
                return error
            raise error
        media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != _MEDIA_TYPE:
            return self._violation(f"it is {media_type or 'nothing'} instead of an event stream")
        return (yield from self._read_events())

    def _read_events(self) -> Generator[Action, Reply, FlowMaestroError | None]:
        decoder = SSEDecoder()
        newest = 0  # of this connection: a repeat is dropped, a step back is not
        opened_at = self._clock()
        while True:
            chunk = yield Read(self._remaining_seconds())
            if isinstance(chunk, RequestTimeout):
                self._remaining_seconds()  # it may be the caller's time that is over
                silence = f"Nothing came for {self._options.stall_seconds:g} seconds."
                return StreamStalled(silence, last_event_id=self.last_event_id)
            if isinstance(chunk, TransportError):
                return chunk
            assert isinstance(chunk, bytes), "a read brings bytes"
            if not chunk:
                ended = f"The stream ended after event {self.last_event_id}, before the execution."
                return StreamInterrupted(ended, last_event_id=self.last_event_id)
            oversized: SSEEventTooLarge | None = None
            try:
                frames = decoder.feed(chunk)
            except SSEEventTooLarge as error:
                frames, oversized = error.events, error
            if decoder.retry_ms is not None:
                self._retry_ms = decoder.retry_ms
            if self._clock() - opened_at >= self._options.backoff.max_seconds:
                self._failures = 0  # a quiet connection that lives is progress, too
            for frame in frames:
                try:
                    event = self._read_frame(frame, newest)
                except (EventDecodeError, InvalidCursor, _Violation) as error:
                    return self._violation(str(error), error)
                if event is None or event.number is None:
                    continue
                newest = event.number
                if newest <= self.last_event_id:
                    continue
                self.last_event_id = newest
                self._failures = 0
                yield Deliver(event)
                if event.terminal:
                    return None
            if oversized is not None:
                self._violated_at = self.last_event_id  # it would be as large the next time
                return self._violation(str(oversized), oversized)

    def _read_frame(self, frame: ServerSentEvent, newest: int) -> StreamEvent | None:
        """Return the event of *frame*, or ``None`` for one that is not part of the log."""
        number = parse_cursor(frame.id) if frame.id else None
        event = decode_event(frame.data, number)
        if isinstance(event, Connected):
            if event.last_event_id < self.last_event_id:
                raise _Violation(
                    f"the log ends at event {event.last_event_id}, "
                    f"but event {self.last_event_id} was received"
                )
            return None
        if number is None:
            if isinstance(event, UnknownEvent):
                return None
            raise _Violation(f"{event.type} came without a number")
        if number < newest:
            raise _Violation(f"event {number} came after event {newest}")
        return event

    def _read_error_body(self) -> Generator[Action, Reply, bytes]:
        body = b""
        while len(body) < _MAX_ERROR_BYTES:
            chunk = yield Read(self._remaining_seconds())
            if not isinstance(chunk, bytes) or not chunk:
                break
            body += chunk
        return body

    def _violation(self, reason: str, cause: Exception | None = None) -> FlowMaestroError:
        error = StreamProtocolError(
            f"The server sent what no event stream carries: {reason}.",
            last_event_id=self.last_event_id,
        )
        error.__cause__ = cause
        if self._violated_at == self.last_event_id:
            raise error
        self._violated_at = self.last_event_id
        return error

    def _reconnecting(self, failure: FlowMaestroError) -> Reconnecting:
        """Return the wait before the next connection, or raise *failure* for the last time."""
        options = self._options
        self._remaining_seconds()
        limit = options.max_reconnects
        never_connected = isinstance(failure, ConnectionFailed) and not failure.sent
        if limit is None and never_connected and not self._answered:
            limit = options.max_first_reconnects
        if limit is not None and self._failures >= limit:
            raise failure
        seconds = self._backoff_seconds()
        self._failures += 1
        if isinstance(failure, APIError) and failure.retry_after_seconds is not None:
            if failure.retry_after_seconds > options.max_retry_after_seconds:
                raise failure
            seconds += failure.retry_after_seconds
        remaining = self._remaining_seconds()
        if remaining is not None:
            seconds = min(seconds, remaining)
        return Reconnecting(failure, seconds, self.last_event_id)

    def _backoff_seconds(self) -> float:
        backoff = self._options.backoff
        base_seconds = backoff.base_seconds
        if self._retry_ms is not None:
            base_seconds = self._retry_ms / 1000
        if self._failures:
            base_seconds = max(base_seconds, min(_MIN_GROWING_BASE_SECONDS, backoff.base_seconds))
        return Backoff(base_seconds, backoff.max_seconds).delay_seconds(
            self._failures, self._random
        )

    def _remaining_seconds(self) -> float | None:
        """Return how much of the caller's time is left; ``None`` for any amount."""
        if self._deadline is None:
            return None
        remaining = self._deadline - self._clock()
        if remaining > 0:
            return remaining
        raise DeadlineExceeded(
            f"The execution did not end within {self._options.timeout_seconds:g} seconds."
        ) from self._last_failure


class _Violation(ValueError):
    """A frame that no stream carries."""


def _is_retryable(status: int) -> bool:
    return status >= 500 or status in _RETRYABLE_STATUSES
