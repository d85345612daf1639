"""The socket lane: feeds readers by writing to their transports, without a task, a queue or a timer
for any one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowmaestro.streaming.hub import Hub
from flowmaestro.streaming.lane.catch_up import CatchUp
from flowmaestro.streaming.lane.group import Group
from flowmaestro.streaming.lane.heartbeats import Heartbeats
from flowmaestro.streaming.lane.stalls import Stalls
from flowmaestro.streaming.lane.stream import Connection, Stream
from flowmaestro.streaming.topic import Topic
from flowmaestro.streaming.views import View


@dataclass(frozen=True, slots=True)
class Opening:
    """What a stream begins with."""

    body: bytes
    """Its first bytes, unframed."""
    cursor: int
    """It goes on after this number."""
    owner: str
    """For whom it is open."""


class Lane:
    """Every stream of a server that has its transport to itself.

    It belongs to the hub's event loop and ends with the hub: :meth:`Hub.close` ends its streams,
    and without streams nothing of it runs.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        options = hub.options
        # The most that a transport holds is what may be in it when something is written, and that.
        self._high_water_bytes = options.buffer_bytes // 4
        self._groups: dict[tuple[str, View], Group] = {}
        self._catch_up = CatchUp(hub.log)
        self._heartbeats = Heartbeats(options.heartbeat_seconds)
        self._stalls = Stalls(hub)
        self.read_soon = self._catch_up.read_soon
        self.written = self._heartbeats.written
        self.watch = self._stalls.watch
        self.unwatch = self._stalls.unwatch

    def open(
        self,
        topic: Topic,
        view: View,
        opening: Opening,
        connection: Connection,
        finished: Callable[[], None],
    ) -> Stream:
        """Begin a stream on the transport of *connection*, which is its own until it is over.

        Args:
            topic: what it follows; its head is known, and the caller holds it meanwhile.
            view: what it shows of it, with the framing of the connection.
            opening: where it begins, for an owner who was admitted: the stream lets them leave.
            connection: is told when the stream has ended or its transport is lost.
            finished: called once, when it is over, however that came.
        """
        key = (topic.execution_id, view)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(self, topic, view)
            self._heartbeats.written(group)
        stream = Stream(
            group, connection, cursor=opening.cursor, owner=opening.owner, finished=finished
        )
        transport = stream.transport
        transport.set_protocol(stream)
        transport.set_write_buffer_limits(self._high_water_bytes)
        self.hub.counters.opened += 1
        group.add(stream, view.framing.wrap(opening.body))
        if self.hub.closed and stream.group is not None:  # it was asked for before
            group.close(stream)
        return stream

    def empty(self, group: Group) -> None:
        del self._groups[group.topic.execution_id, group.view]
        self._heartbeats.forget(group)
