"""A group of readers on the lane whose transports are the tests' own: they take what they are given
and fill up and drain when they are told to, which a real socket does when it likes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from flowmaestro.storage import LogRecord
from flowmaestro.streaming import (
    JSON_LINES,
    Admission,
    Stream,
    StreamingCounters,
    StreamingOptions,
    Topic,
    View,
)
from flowmaestro.streaming.lane.group import Group
from flowmaestro.streaming.lane.services import Services

VISIBLE = "node:started"
HIDDEN = "node:log"
TERMINAL = "execution:completed"
OPENING = b"opening"
END = b"end"
CLOSING = b"closing"


class Framing:
    """Makes the end of a stream visible."""

    end = END + b"\n"

    def wrap(self, body: bytes, /) -> bytes:
        return body


class Format(type(JSON_LINES)):  # type: ignore[misc]
    def closing(self, retry_ms: int) -> bytes:
        return CLOSING + b"\n"


VIEW = View(Format(), frozenset({VISIBLE, TERMINAL}), Framing())


@dataclass
class Transport:
    """Where a reader's bytes go."""

    protocol: Any = None
    tight: bool = False
    """Whether the next write fills it."""
    broken: bool = False
    got: list[bytes] = field(default_factory=list)
    aborted: bool = False

    def write(self, body: bytes) -> None:
        if self.broken:
            raise RuntimeError("no handle")
        self.got += body.splitlines()
        if self.tight and not self.protocol.full:
            self.protocol.pause_writing()

    def drain(self) -> None:
        self.tight = False
        if self.protocol.full:
            self.protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return int(self.tight)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Connection:
    transport: Any
    given_back: bool = False

    def begin(self, stream: Stream) -> None:
        pass

    def lost(self, stream: Stream) -> None:
        pass

    def not_to_be_kept(self) -> None:
        pass

    def give_back(self, stream: Stream, early: bytes) -> None:
        self.given_back = True


class Hub:
    def __init__(self, options: StreamingOptions) -> None:
        self.options = options
        self.counters = StreamingCounters()
        self.admission = Admission(None, None)

    def retry_ms(self) -> int:
        return 1


class Shell:
    """What is around the groups: it remembers what they ask for."""

    def __init__(self, buffer_bytes: int = 1_000, page_records: int = 100) -> None:
        options = StreamingOptions(buffer_bytes=buffer_bytes, page_records=page_records)
        self.hub = cast(Any, Hub(options))
        self.wanted: list[int] = []
        self.watched: set[Stream] = set()
        self.emptied = False
        self.ending: list[Stream] = []
        self.written_to = 0

    def read_soon(self, group: Group, cursor: int) -> None:
        self.wanted.append(cursor)

    def written(self, group: Group) -> None:
        self.written_to += 1

    def watch(self, stream: Stream) -> None:
        self.watched.add(stream)

    def unwatch(self, stream: Stream) -> None:
        self.watched.discard(stream)

    def complete_soon(self, stream: Stream) -> None:
        self.ending.append(stream)

    def complete_one(self) -> None:
        stream = self.ending.pop(0)
        if stream.group is not None and not stream.full:
            stream.complete()

    def complete_all(self) -> None:
        while self.ending:
            self.complete_one()

    def empty(self, group: Group) -> None:
        self.emptied = True


class Reader:
    """A reader as its client sees it."""

    def __init__(
        self, group: Group, cursor: int, owner: str = "key_1", *, tight: bool = False
    ) -> None:
        group._services.hub.admission.enter(owner)
        self.after = cursor
        self.transport = Transport(tight=tight)
        self.connection = Connection(self.transport)
        self.finished = 0
        self.stream = Stream(
            group, self.connection, cursor=cursor, owner=owner, finished=self._finish
        )
        self.transport.protocol = self.stream
        group.add(self.stream, OPENING + b"\n")

    @property
    def numbers(self) -> list[int]:
        return [int(line) for line in self.transport.got if line.isdigit()]

    @property
    def at_end(self) -> bool:
        return END in self.transport.got

    def _finish(self) -> None:
        self.finished += 1


def record(number: int, type_: str = VISIBLE) -> LogRecord:
    return LogRecord(number, type_, str(number))


def records(first: int, last: int, *, ended: bool = False) -> list[LogRecord]:
    found = [record(number) for number in range(first, last + 1)]
    return [*found[:-1], record(last, TERMINAL)] if ended else found


def a_group(
    newest: int = 0, *, buffer_bytes: int = 1_000, page_records: int = 100
) -> tuple[Group, Shell]:
    topic = Topic("exec_1", cast(Any, None), lambda _: None)
    if newest:
        topic.publish(records(1, newest))
    shell = Shell(buffer_bytes, page_records)
    return Group(cast(Services, shell), topic, VIEW), shell
