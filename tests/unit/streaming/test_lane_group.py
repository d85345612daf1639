"""A group of readers on the lane, under any interleaving of what may happen to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from flowmaestro.storage import LogRecord
from flowmaestro.streaming import Batch, LogGap
from tests.support.lane_group import (
    CLOSING,
    END,
    HIDDEN,
    OPENING,
    TERMINAL,
    VISIBLE,
    Reader,
    a_group,
    record,
    records,
)


def test_a_reader_at_the_newest_number_gets_commits_as_they_come() -> None:
    group, shell = a_group(newest=3)
    reader = Reader(group, 3)
    group.offer(Batch(records(4, 5)))
    group.offer(Batch(records(6, 6)))
    assert reader.numbers == [4, 5, 6]
    assert (group.behind, shell.wanted) == (0, [])


def test_all_who_wait_at_one_cursor_get_one_page() -> None:
    group, shell = a_group(newest=3)
    readers = [Reader(group, 1) for _ in range(5)]
    assert shell.wanted == [1]
    assert group.behind == 5
    group.page(1, records(2, 3))
    assert [reader.numbers for reader in readers] == [[2, 3]] * 5
    assert group.behind == 0


def test_a_page_is_kept_for_those_who_come_next_until_something_happens() -> None:
    group, shell = a_group(newest=3)
    first = Reader(group, 1)
    group.page(1, records(2, 3))
    second, other = Reader(group, 1), Reader(group, 0)
    assert first.numbers == second.numbers == [2, 3]
    assert shell.wanted == [1, 0]
    group.offer(Batch(records(4, 4)))
    assert second.numbers == [2, 3, 4]
    third = Reader(group, 1)
    assert (third.numbers, other.numbers) == ([], [])
    assert shell.wanted == [1, 0, 1]


def test_a_page_is_not_kept_when_there_is_more_after_it_or_for_long() -> None:
    group, shell = a_group(newest=5)
    reader = Reader(group, 1)
    group.page(1, records(2, 3))
    Reader(group, 1)
    assert shell.wanted == [1, 3, 1]
    group.page(3, records(4, 5))
    group.heartbeat([reader.stream])
    Reader(group, 3)
    assert shell.wanted == [1, 3, 1, 3]


def test_a_reader_that_a_kept_page_fills_is_not_level() -> None:
    group, _ = a_group(newest=3)
    Reader(group, 1)
    group.page(1, records(2, 3))
    slow = Reader(group, 1, tight=True)
    group.offer(Batch(records(4, 4)))
    assert slow.numbers == [2, 3]


def test_a_commit_during_the_read_of_a_page_leaves_its_readers_behind() -> None:
    group, shell = a_group(newest=3)
    reader = Reader(group, 1)
    group.offer(Batch(records(4, 4)))
    group.page(1, records(2, 3))
    assert reader.numbers == [2, 3]
    assert shell.wanted == [1, 3]


def test_a_reader_that_saw_an_event_before_the_hub_did_waits_for_the_hub() -> None:
    group, shell = a_group(newest=3)
    reader = Reader(group, 5)
    group.offer(Batch(records(4, 5)))
    group.offer(Batch(records(6, 6)))
    assert reader.numbers == [6]
    assert shell.wanted == []


def test_a_reader_ahead_of_the_hub_by_part_of_a_commit_reads_the_rest() -> None:
    group, shell = a_group(newest=3)
    reader = Reader(group, 4)
    group.offer(Batch(records(4, 6)))
    assert (reader.numbers, shell.wanted) == ([], [4])
    group.page(4, records(5, 6))
    assert reader.numbers == [5, 6]


def test_a_commit_that_was_not_told_of_sends_everybody_to_the_log() -> None:
    group, shell = a_group(newest=3)
    reader = Reader(group, 3)
    group.offer(Batch(records(6, 7)))
    assert (reader.numbers, shell.wanted) == ([], [3])
    group.page(3, records(4, 7))
    assert reader.numbers == [4, 5, 6, 7]


def test_a_full_reader_gets_nothing_until_it_has_drained_and_the_others_everything() -> None:
    group, shell = a_group()
    slow, quick = Reader(group, 0), Reader(group, 0)
    slow.transport.tight = True
    group.offer(Batch(records(1, 2)))
    group.offer(Batch(records(3, 4)))
    assert (slow.numbers, quick.numbers) == ([1, 2], [1, 2, 3, 4])
    assert slow.stream in shell.watched
    assert shell.hub.counters.overflows == 1
    slow.transport.drain()
    assert slow.stream not in shell.watched
    assert shell.wanted == [2]
    group.page(2, records(3, 4))
    assert slow.numbers == [1, 2, 3, 4]


def test_a_large_commit_is_written_in_pieces_and_a_full_reader_keeps_to_those_it_got() -> None:
    group, shell = a_group(buffer_bytes=8)
    slow, quick = Reader(group, 0), Reader(group, 0)
    slow.transport.tight = True
    group.offer(Batch(records(1, 6)))  # two bytes each, and pieces of four
    assert (slow.numbers, quick.numbers) == ([1, 2], [1, 2, 3, 4, 5, 6])
    slow.transport.drain()
    assert shell.wanted == [2]


def test_the_terminal_event_ends_every_stream_once_and_empties_the_group() -> None:
    group, shell = a_group()
    readers = [Reader(group, 0) for _ in range(3)]
    readers[1].transport.tight = True
    group.offer(Batch(records(1, 2, ended=True)))
    assert all(reader.at_end for reader in readers)
    assert group.readers == 3
    shell.complete_all()
    assert [reader.finished for reader in readers] == [1, 0, 1]
    readers[1].transport.drain()
    shell.complete_all()
    assert [reader.finished for reader in readers] == [1, 1, 1]
    assert all(reader.connection.given_back for reader in readers)
    assert shell.emptied


def test_a_page_with_the_terminal_event_ends_its_readers_streams() -> None:
    group, shell = a_group(newest=1)
    early, late = Reader(group, 1), Reader(group, 0)
    late.transport.tight = True
    group.offer(Batch(records(2, 2, ended=True)))
    group.page(0, [record(1), record(2, TERMINAL)])
    shell.complete_all()
    assert early.at_end
    assert late.at_end
    assert (early.finished, late.finished) == (1, 0)
    late.transport.drain()
    shell.complete_all()
    assert late.finished == 1


def test_a_transport_that_fails_costs_the_others_nothing() -> None:
    group, _ = a_group()
    readers = [Reader(group, 0) for _ in range(5)]
    for reader in readers[1::2]:
        reader.transport.broken = True
    group.offer(Batch(records(1, 2)))
    assert [reader.numbers for reader in readers[::2]] == [[1, 2]] * 3
    assert [reader.finished for reader in readers] == [0, 1, 0, 1, 0]
    assert group.readers == 3


@pytest.mark.parametrize("page", [[], records(4, 5)])
def test_a_log_that_lacks_what_follows_a_cursor_is_refused(page: list[LogRecord]) -> None:
    group, shell = a_group(newest=5)
    reader = Reader(group, 2)
    with pytest.raises(LogGap):
        group.page(2, page)
    group.cut_off(2)
    shell.complete_all()
    assert reader.numbers == []
    assert reader.transport.got == [OPENING, CLOSING, END]
    assert reader.finished == 1


def test_only_the_streams_of_an_owner_end_with_it() -> None:
    group, shell = a_group(newest=2)
    level, behind = Reader(group, 2, owner="key_2"), Reader(group, 0, owner="key_2")
    other = Reader(group, 2)
    group.end({"key_2"})
    shell.complete_all()
    assert level.transport.got == behind.transport.got == [OPENING, CLOSING, END]
    assert other.transport.got == [OPENING]
    assert group.readers == 1


def test_a_stream_that_cannot_be_given_its_last_bytes_is_looked_after() -> None:
    group, shell = a_group()
    reader = Reader(group, 0)
    reader.transport.tight = True
    group.end()
    assert reader.finished == 0
    assert shell.watched == {reader.stream}


def test_a_sign_of_life_goes_to_all_but_those_who_could_not_take_it() -> None:
    group, _ = a_group(newest=2)
    level, behind, ahead, full = (Reader(group, cursor) for cursor in (2, 0, 3, 2))
    full.transport.tight = True
    group.offer(Batch(records(3, 3)))
    for reader in (level, behind, ahead, full):
        reader.transport.got.clear()
    group.heartbeat(group.members())
    assert [reader.transport.got for reader in (level, behind, ahead)] == [[b""]] * 3
    assert full.transport.got == []


class AnyInterleaving(RuleBasedStateMachine):
    """A log, a hub that is told of its commits some time later, and readers that come and go."""

    readers = Bundle("readers")

    @initialize(
        before=st.integers(0, 5), buffer_bytes=st.integers(4, 30), page_records=st.integers(1, 4)
    )
    def start(self, before: int, buffer_bytes: int, page_records: int) -> None:
        self.log = [record(number) for number in range(1, before + 1)]
        self.unheard: list[list[LogRecord]] = []
        self.all: list[Reader] = []
        self.gone: set[int] = set()
        self.reading: list[tuple[int, list[LogRecord]]] = []
        self.group, self.shell = a_group(before, buffer_bytes=buffer_bytes)
        self.page_records = page_records
        # One who stays, so that the group does.
        self.all.append(Reader(self.group, before))

    @property
    def ended(self) -> bool:
        return bool(self.log) and self.log[-1].type == TERMINAL

    @precondition(lambda self: not self.ended)
    @rule(
        types=st.lists(st.sampled_from([VISIBLE, HIDDEN]), min_size=1, max_size=5),
        terminal=st.integers(0, 9).map(lambda chance: chance == 0),
    )
    def commit(self, types: Collection[str], terminal: bool) -> None:
        types = [*types, TERMINAL] if terminal else list(types)
        start = len(self.log) + 1
        new = [record(start + index, type_) for index, type_ in enumerate(types)]
        self.log += new
        self.unheard.append(new)

    @precondition(lambda self: self.unheard)
    @rule()
    def hear_of_a_commit(self) -> None:
        self.group.topic.publish(self.unheard.pop(0))

    @rule(target=readers, back=st.integers(0, 8))
    def open(self, back: int) -> Any:
        cursor = max(0, len(self.log) - back)
        if self.shell.emptied or (self.ended and cursor == len(self.log)):
            return multiple()  # it would get a group of its own, or a 204
        self.all.append(Reader(self.group, cursor))
        return self.all[-1]

    @precondition(lambda self: self.shell.wanted)
    @rule()
    def read_a_page(self) -> None:
        cursor = self.shell.wanted.pop(0)
        if self.group.awaits(cursor):
            page = self.log[cursor : cursor + self.page_records]
            self.reading.append((cursor, page))

    @precondition(lambda self: self.reading)
    @rule(which=st.integers(0, 9))
    def get_a_page(self, which: int) -> None:
        self.group.page(*self.reading.pop(which % len(self.reading)))

    @precondition(lambda self: self.shell.ending)
    @rule()
    def complete_a_stream(self) -> None:
        self.shell.complete_one()

    @rule(reader=readers)
    def fill(self, reader: Reader) -> None:
        reader.transport.tight = True

    @rule(reader=readers)
    def drain(self, reader: Reader) -> None:
        if reader.stream.group is not None:
            reader.transport.drain()

    @rule(reader=readers)
    def fail_at_the_next_write(self, reader: Reader) -> None:
        reader.transport.broken = True
        self.gone.add(id(reader))

    @rule(reader=readers)
    def disconnect(self, reader: Reader) -> None:
        if reader.stream.group is not None:
            self.gone.add(id(reader))
            reader.stream.connection_lost(None)

    @rule(reader=readers)
    def give_a_sign_of_life(self, reader: Reader) -> None:
        self.group.heartbeat([reader.stream])

    @invariant()
    def everything_came_once_and_in_order(self) -> None:
        for reader in getattr(self, "all", ()):
            shown = [one.number for one in self.log[reader.after :] if one.type != HIDDEN]
            assert reader.numbers == shown[: len(reader.numbers)]
            assert reader.transport.got.count(END) == (reader.at_end and 1)

    @invariant()
    def every_reader_is_in_one_place(self) -> None:
        if hasattr(self, "all"):
            streams = list(self.group.members())
            assert len(streams) == len(set(streams)) == self.group.readers
            assert set(streams) == {one.stream for one in self.all if one.stream.group is not None}

    def teardown(self) -> None:
        if not hasattr(self, "all"):
            return
        while self.unheard:
            self.hear_of_a_commit()
        for reader in self.all:
            self.drain(reader)
        while self.shell.wanted or self.reading:
            if self.shell.wanted:
                self.read_a_page()
            if self.reading:
                self.get_a_page(0)
        self.shell.complete_all()
        self.everything_came_once_and_in_order()
        for reader in self.all:
            if id(reader) in self.gone:
                assert reader.finished == (reader.stream.group is None)
                continue
            shown = [one.number for one in self.log[reader.after :] if one.type != HIDDEN]
            assert reader.numbers == shown
            assert reader.at_end == self.ended
            assert reader.finished == self.ended


AnyInterleaving.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None
)
TestAnyInterleavingLosesAndRepeatsNothing = AnyInterleaving.TestCase
