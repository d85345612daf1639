"""What one connection of a stream says, whoever reads it."""

from __future__ import annotations

from torture.oracle import Frame
from torture.subject import Subject
from torture.wire import EventParser, WireError

_TRY_AGAIN = frozenset({408, 425, 429})


class Refused(Exception):
    """The server answered with what asking again does not change."""


class Ended(Exception):
    """There is nothing more: the stream's 204."""


class Connection:
    """Keeps what one connection is sent, and holds it to the protocol.

    Args:
        recording: to which whole events are added.
    """

    def __init__(self, subject: Subject, recording: list[Frame]) -> None:
        self.terminal = False
        """Whether the terminal event came."""
        self.frames = 0
        self._subject = subject
        self._recording = recording
        self._parser = EventParser()
        self._opened = subject.opening is None

    def begin(self, status: int) -> bool:
        """Take the answer's status; return whether a stream follows, or it is to be asked again.

        Raises:
            Ended: there is nothing after the cursor.
            Refused: asking again is of no use.
        """
        if status == 204:
            raise Ended
        if status >= 500 or status in _TRY_AGAIN:
            return False
        if status != 200:
            raise Refused(f"the stream was answered with {status}")
        return True

    def take(self, data: bytes) -> None:
        """Keep the events that end in *data*.

        Raises:
            WireError: it is no stream.
        """
        for event in self._parser.feed(data):
            if not self._opened:
                if event.name != self._subject.opening or event.id is not None:
                    raise WireError(f"a stream begins with {event.name} and the id {event.id}")
                self._opened = True
                continue
            if event.id is None or not event.id.isdecimal():
                raise WireError(f"{event.name} has the id {event.id}")
            self.frames += 1
            self._recording.append(Frame(int(event.id), event.name, event.data))
            self.terminal = self.terminal or event.name in self._subject.terminal
