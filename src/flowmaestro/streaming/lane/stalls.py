"""Drops the readers that take nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final

from flowmaestro.streaming.drops import tell_drop
from flowmaestro.streaming.hub import Hub
from flowmaestro.streaming.lane.stream import Stream

CHECKS = 4
"""How often a reader is looked at within the time it may take nothing."""

_TCP_INFO: Final = 11
_BYTES_ACKED: Final = struct.Struct("@Q")
_BYTES_ACKED_OFFSET: Final = 120
"""``struct tcp_info`` of Linux 4.1 and later: ``tcpi_bytes_acked``."""


@dataclass(slots=True)
class _Progress:
    taken: int
    at: float


class Stalls:
    """Looks after those whose transports hold something back, and after nobody else.

    Progress is what the peer's kernel has acknowledged, where the system tells (Linux); elsewhere
    it is that the transport holds less. A peer that stopped reading acknowledges nothing once its
    buffers are full.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._watched: dict[Stream, _Progress] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, stream: Stream) -> None:
        """Drop the stream when it has taken nothing for ``stalled_reader_seconds``; while the hub
        is closing, in any case after ``closing_grace_seconds``."""
        loop = asyncio.get_running_loop()
        options = self._hub.options
        if self._hub.closed:
            loop.call_later(options.closing_grace_seconds, self._drop_if_open, stream)
        if stream not in self._watched:
            self._watched[stream] = _Progress(_taken(stream), loop.time())
            if self._timer is None:
                self._look_later()

    def unwatch(self, stream: Stream) -> None:
        """The client has taken everything, or the stream is over."""
        self._watched.pop(stream, None)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        seconds = self._hub.options.stalled_reader_seconds / CHECKS
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        self._timer = None
        for stream, progress in tuple(self._watched.items()):
            taken = _taken(stream)
            if not stream.transport.get_write_buffer_size():
                del self._watched[stream]
            elif taken > progress.taken:
                progress.taken, progress.at = taken, now
            elif now - progress.at >= self._hub.options.stalled_reader_seconds:
                self._drop(stream)
            else:
                progress.taken = taken  # less: it was given more, where only that can be told
        if self._watched and self._timer is None:
            self._look_later()

    def _drop_if_open(self, stream: Stream) -> None:
        if stream.group is not None:
            self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        self._hub.counters.drops += 1
        if stream.group is not None:
            group = stream.group
            tell_drop(group.topic.execution_id, stream.owner, group.lag_of(stream))
        stream.drop()


def _taken(stream: Stream) -> int:
    """Return a number that grows when the client takes something."""
    connection = stream.transport.get_extra_info("socket")
    if sys.platform == "linux" and connection is not None:
        try:
            size = _BYTES_ACKED_OFFSET + _BYTES_ACKED.size
            info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, size)
            if len(info) == size:
                return int(_BYTES_ACKED.unpack_from(info, _BYTES_ACKED_OFFSET)[0])
        except OSError:
            pass  # no TCP, or the connection is going
    return -stream.transport.get_write_buffer_size()
