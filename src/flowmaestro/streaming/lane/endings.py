"""Completes streams: some in each turn of the loop, since one event may end thousands."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from flowmaestro.streaming.lane.stream import Stream

STREAMS_A_TURN = 100
"""How many are completed before the loop gets round to something else. Each means a log line and a
connection that is kept alive, which is many times what an event costs."""

_logger = logging.getLogger(__name__)


class Endings:
    """The streams that were given their last byte, in that order."""

    def __init__(self) -> None:
        self._streams: deque[Stream] = deque()

    def complete_soon(self, stream: Stream) -> None:
        """Complete *stream*, unless it has ended by then or its transport has become full."""
        if not self._streams:
            asyncio.get_running_loop().call_soon(self._complete_some)
        self._streams.append(stream)

    def _complete_some(self) -> None:
        for _ in range(min(len(self._streams), STREAMS_A_TURN)):
            stream = self._streams.popleft()
            if stream.group is None or stream.full:
                continue
            try:
                stream.complete()
            except Exception:
                _logger.exception("a stream could not be completed")
                stream.drop()
        if self._streams:
            asyncio.get_running_loop().call_soon(self._complete_some)
