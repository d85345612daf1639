"""How one reader sees a log: in which format, and which types of event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flowmaestro.events import EVENT_TYPES, EXTENSION_TYPES, TERMINAL_TYPES
from flowmaestro.storage import LogRecord
from flowmaestro.streaming.formats import Format


def visible_types(
    types: Iterable[str] | None = None, include: Iterable[str] = ()
) -> frozenset[str]:
    """Return the event types that a reader gets.

    Args:
        types: only these; ``None``: all that are on.
        include: extension types to turn on; the others are off.

    The types that end a log are always there: a reader must learn that it is at the end.
    """
    on = frozenset(EVENT_TYPES) - EXTENSION_TYPES | frozenset(include)
    return (on if types is None else on & frozenset(types)) | TERMINAL_TYPES


@dataclass(frozen=True, slots=True)
class View:
    """Readers of one view get the same bytes."""

    format: Format
    visible: frozenset[str]


class Chunk(NamedTuple):
    """Whole frames, joined, and how many they are. Empty when every event was hidden."""

    body: bytes
    events: int


EMPTY = Chunk(b"", 0)


def render(records: Iterable[LogRecord], view: View) -> Chunk:
    """Return the *records* that *view* shows."""
    frame = view.format.frame
    visible = view.visible
    frames = [frame(number, type_, data) for number, type_, data in records if type_ in visible]
    return Chunk(b"".join(frames), len(frames))


class Batch:
    """The records of one commit, for every reader of their execution.

    A record's frame is encoded once in each format that is asked for, and the frames are joined
    once for each view.
    """

    __slots__ = ("_frames", "_records", "ended", "first", "last")

    def __init__(self, records: Sequence[LogRecord]) -> None:
        """Take the *records*: at least one, their numbers without a gap."""
        self.first = records[0].number
        self.last = records[-1].number
        self.ended = records[-1].type in TERMINAL_TYPES
        self._records = records
        self._frames: dict[Format, list[bytes]] = {}

    def chunk(self, view: View) -> Chunk:
        """Return what *view* shows of the batch."""
        frames = self._frames.get(view.format)
        if frames is None:
            frames = self._frames[view.format] = [
                view.format.frame(*record) for record in self._records
            ]
        shown = _shown(frames, self._records, view.visible)
        return Chunk(b"".join(shown), len(shown)) if shown else EMPTY


def _shown(
    frames: list[bytes], records: Sequence[LogRecord], visible: Collection[str]
) -> list[bytes]:
    return [frame for frame, record in zip(frames, records, strict=True) if record.type in visible]
