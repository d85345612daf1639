"""The socket lane: streams fed at the cost of the system call.

Reading order: ``group`` (the readers that get the same bytes, and the loop that writes them),
``stream`` (one connection), ``lane`` (opens streams), ``catch_up`` (pages of the log for those who
are behind), ``heartbeats`` and ``stalls`` (one timer each, for all), ``endings``.

Where :class:`~flowmaestro.streaming.Reader` is a task that waits for each of its events, a stream
here is a few words of memory that something is done to.
"""

from flowmaestro.streaming.lane.lane import Lane, Opening
from flowmaestro.streaming.lane.stream import Connection, Stream

__all__ = ["Connection", "Lane", "Opening", "Stream"]
