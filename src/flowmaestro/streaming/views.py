"""How one reader sees a log: in which format, and which types of event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flowmaestro.events import EVENT_TYPES, EXTENSION_TYPES, TERMINAL_TYPES
from flowmaestro.storage import LogRecord
from flowmaestro.streaming.formats import UNFRAMED, Format, Framing


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
    framing: Framing = UNFRAMED


class Chunk(NamedTuple):
    """Whole frames, joined, and how many they are. Empty when every event was hidden."""

    body: bytes
    events: int


EMPTY = Chunk(b"", 0)


class Piece(NamedTuple):
    """Part of a commit, as a view shows it."""

    last: int
    """The number of its last record, shown or hidden."""
    chunk: Chunk


def render(records: Iterable[LogRecord], view: View) -> Chunk:
    """Return the *records* that *view* shows."""
    frame = view.format.frame
    visible = view.visible
    return _join(
        [frame(number, type_, data) for number, type_, data in records if type_ in visible], view
    )


class Batch:
    """The records of one commit, for every reader of their execution.

    A record's frame is encoded once in each format that is asked for, and the frames are joined
    once for each view.
    """

    __slots__ = ("_chunks", "_frames", "ended", "first", "last", "records")

    def __init__(self, records: Sequence[LogRecord]) -> None:
        """Take the *records*: at least one, their numbers without a gap."""
        self.first = records[0].number
        self.last = records[-1].number
        self.ended = records[-1].type in TERMINAL_TYPES
        self.records = records
        self._frames: dict[Format, list[bytes]] = {}
        self._chunks: dict[View, Chunk] = {}

    def chunk(self, view: View) -> Chunk:
        """Return what *view* shows of the batch."""
        chunk = self._chunks.get(view)
        if chunk is None:
            frames = self._encoded(view.format)
            shown = [
                frame
                for frame, record in zip(frames, self.records, strict=True)
                if record.type in view.visible
            ]
            chunk = self._chunks[view] = _join(shown, view)
        return chunk

    def pieces(self, view: View, max_bytes: int) -> Iterable[Piece]:
        """Return what *view* shows of the batch, in pieces of at most *max_bytes* of frames; a
        single frame may be larger."""
        chunk = self.chunk(view)
        if len(chunk.body) <= max_bytes or chunk.events == 1:
            return (Piece(self.last, chunk),)
        return self._split(view, max_bytes)

    def _split(self, view: View, max_bytes: int) -> Iterator[Piece]:
        shown: list[bytes] = []
        size = 0
        before = self.first - 1
        for frame, record in zip(self._encoded(view.format), self.records, strict=True):
            if record.type in view.visible:
                if shown and size + len(frame) > max_bytes:
                    yield Piece(before, _join(shown, view))
                    shown, size = [], 0
                shown.append(frame)
                size += len(frame)
            before = record.number
        yield Piece(self.last, _join(shown, view))

    def _encoded(self, format_: Format) -> list[bytes]:
        frames = self._frames.get(format_)
        if frames is None:
            frames = self._frames[format_] = [format_.frame(*record) for record in self.records]
        return frames


def _join(frames: list[bytes], view: View) -> Chunk:
    return Chunk(view.framing.wrap(b"".join(frames)), len(frames)) if frames else EMPTY
