"""What the groups of a lane share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowmaestro.streaming.hub import Hub

if TYPE_CHECKING:
    from flowmaestro.streaming.lane.group import Group
    from flowmaestro.streaming.lane.stream import Stream


class Services(Protocol):
    """What a group asks for; the lane has it."""

    @property
    def hub(self) -> Hub: ...

    def read_soon(self, group: Group, cursor: int) -> None:
        """Bring :meth:`Group.page` or :meth:`Group.cut_off` what follows *cursor*."""

    def written(self, group: Group) -> None:
        """The group's level readers were just written to."""

    def watch(self, stream: Stream) -> None:
        """Drop the stream if its client takes nothing for too long, until :meth:`unwatch`."""

    def unwatch(self, stream: Stream) -> None:
        """The client has taken everything, or the stream is over."""

    def empty(self, group: Group) -> None:
        """The group's last reader has left."""
