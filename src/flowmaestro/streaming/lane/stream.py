"""One stream on the lane: the protocol of a connection that has nothing to do but take events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flowmaestro.streaming.lane.group import Group

_logger = logging.getLogger(__name__)

MAX_EARLY_BYTES = 16 * 1024
"""Past so many bytes after its request a client is read no further until the stream is over; they
then go to whoever gets the connection back. The rest waits in the client."""


class Connection(Protocol):
    """What a stream got its transport from, and gives it back to."""

    @property
    def transport(self) -> asyncio.Transport: ...

    def lost(self, stream: Stream) -> None:
        """The transport is gone, or going."""

    def not_to_be_kept(self) -> None:
        """Nobody wants it back: it is to be closed when the stream is over."""

    def give_back(self, stream: Stream, early: bytes) -> None:
        """The stream is over, whole. *early* is what the client sent meanwhile."""


class Stream(asyncio.Protocol):
    """A reader's connection, and its place in a log.

    Ten thousand of these wait in memory, hence ``__slots__``: what readers have in common is in
    their :class:`~flowmaestro.streaming.lane.group.Group`, the position of a level one included.
    """

    __slots__ = (
        "_connection",
        "_early",
        "_finished",
        "cursor",
        "full",
        "group",
        "owner",
        "transport",
    )

    def __init__(
        self,
        group: Group,
        connection: Connection,
        *,
        cursor: int,
        owner: str,
        finished: Callable[[], None],
    ) -> None:
        """Take over the transport of *connection*; *finished* is called when the stream is over."""
        self.group: Group | None = group
        self.cursor = cursor
        """While it is behind: the newest number that its transport was given, or that is hidden."""
        self.full = False
        """Whether its transport holds as much as it may."""
        self.owner = owner
        self.transport = connection.transport
        self._connection = connection
        self._finished: Callable[[], None] | None = finished
        self._early = b""

    def write(self, body: bytes) -> None:
        """Hand whole frames to the transport."""
        try:
            self.transport.write(body)
        except Exception:
            self.broke()

    def pause_writing(self) -> None:
        self.full = True
        if self.group is not None:
            self.group.on_full(self)

    def resume_writing(self) -> None:
        self.full = False
        if self.group is not None:
            self.group.on_drained(self)

    def data_received(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > MAX_EARLY_BYTES:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.leave()
        self._connection.lost(self)

    def shutdown(self) -> None:
        """uvicorn's word for it: the server is shutting down, and waits for this to be over."""
        self._connection.not_to_be_kept()
        if self.group is not None:
            self.group.close(self)

    def broke(self) -> None:
        """The transport took no more, for a reason that is being handled."""
        _logger.exception("a stream was dropped: its transport failed")
        self.drop()

    def drop(self) -> None:
        """End the connection at once, whatever is still in its transport."""
        self.leave()
        self.transport.abort()

    def complete(self) -> None:
        """The last byte is written: the connection goes back to where it came from."""
        self.leave()
        self._connection.give_back(self, self._early)

    def leave(self) -> None:
        """Be nobody's reader any more. Doing it again changes nothing."""
        group, self.group = self.group, None
        if group is not None:
            group.leave(self)
        finished, self._finished = self._finished, None
        if finished is not None:
            finished()
