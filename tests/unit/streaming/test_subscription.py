from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from flowmaestro.storage import LogRecord
from flowmaestro.streaming import JSON_LINES, Batch, LogGap, Subscription, View, render

VISIBLE = "node:started"
HIDDEN = "node:log"
TERMINAL = "execution:completed"
VIEW = View(JSON_LINES, frozenset({VISIBLE, TERMINAL}))


def record(number: int, type_: str = VISIBLE) -> LogRecord:
    return LogRecord(number, type_, str(number))


def batch(first: int, last: int) -> Batch:
    return Batch([record(number) for number in range(first, last + 1)])


def offer(subscription: Subscription, of: Batch) -> bool:
    return subscription.offer(of, of.chunk(VIEW))


def level_subscription(cursor: int = 0, limit: int = 1_000) -> Subscription:
    subscription = Subscription(cursor=cursor, buffer_limit_bytes=limit)
    subscription.joined(cursor)
    return subscription


def test_it_is_level_at_once_when_its_cursor_is_the_newest_number() -> None:
    assert level_subscription(cursor=7).level


def test_it_is_behind_when_the_log_holds_more_than_its_cursor() -> None:
    subscription = Subscription(cursor=3, buffer_limit_bytes=100)
    subscription.joined(5)
    assert not subscription.level


def test_a_commit_between_joining_and_noting_the_newest_number_is_not_lost() -> None:
    subscription = Subscription(cursor=5, buffer_limit_bytes=100)
    offer(subscription, batch(6, 6))
    subscription.joined(5)  # what the log said just before that commit
    assert not subscription.level


def test_a_level_subscription_hands_out_what_it_was_offered() -> None:
    subscription = level_subscription()
    assert offer(subscription, batch(1, 2))
    assert offer(subscription, batch(3, 3))
    assert subscription.cursor == 0
    assert subscription.take() == (b"1\n2\n3\n", 3)
    assert subscription.cursor == 3


def test_a_single_chunk_is_handed_out_without_a_copy() -> None:
    subscription = level_subscription()
    commit = batch(1, 2)
    chunk = commit.chunk(VIEW)
    subscription.offer(commit, chunk)
    assert subscription.take().body is chunk.body


def test_hidden_events_advance_the_cursor_and_wake_nobody() -> None:
    subscription = level_subscription()
    assert not offer(subscription, Batch([record(1, HIDDEN), record(2, HIDDEN)]))
    assert subscription.cursor == 2
    assert subscription.buffered_bytes == 0


def test_a_number_that_jumps_sends_it_back_to_the_log() -> None:
    subscription = level_subscription()
    assert offer(subscription, batch(2, 2))
    assert not subscription.level
    assert subscription.cursor == 0


def test_a_commit_that_a_page_has_brought_already_is_passed_over() -> None:
    subscription = Subscription(cursor=0, buffer_limit_bytes=100)
    subscription.joined(1)
    subscription.page(1, 3, ended=False)
    assert subscription.level
    assert not offer(subscription, batch(2, 3))
    assert subscription.level
    assert subscription.buffered_bytes == 0


def test_a_commit_of_which_a_page_brought_a_part_sends_it_back_to_the_log() -> None:
    subscription = Subscription(cursor=0, buffer_limit_bytes=100)
    subscription.joined(1)
    subscription.page(1, 2, ended=False)
    assert offer(subscription, batch(2, 3))
    assert not subscription.level
    assert subscription.cursor == 2


def test_a_full_buffer_is_dropped_and_the_cursor_stays_at_what_was_taken() -> None:
    subscription = level_subscription(limit=4)
    offer(subscription, batch(1, 1))
    subscription.take()
    offer(subscription, batch(2, 3))
    assert subscription.buffered_bytes == 4
    assert offer(subscription, batch(4, 4))
    assert not subscription.level
    assert (subscription.cursor, subscription.newest) == (1, 4)
    assert subscription.buffered_bytes == 0
    assert subscription.overflows == 1


def test_while_it_is_behind_commits_cost_it_nothing() -> None:
    subscription = Subscription(cursor=0, buffer_limit_bytes=100)
    subscription.joined(1)
    assert not offer(subscription, batch(2, 50))
    assert subscription.buffered_bytes == 0
    assert subscription.newest == 50


def test_a_page_that_does_not_reach_the_newest_number_leaves_it_behind() -> None:
    subscription = Subscription(cursor=0, buffer_limit_bytes=100)
    subscription.joined(10)
    subscription.page(1, 9, ended=False)
    assert not subscription.level
    subscription.page(10, 10, ended=False)
    assert subscription.level


@pytest.mark.parametrize("first", [1, 3])
def test_a_page_that_does_not_follow_on_the_cursor_is_refused(first: int) -> None:
    subscription = Subscription(cursor=1, buffer_limit_bytes=100)
    subscription.joined(4)
    with pytest.raises(LogGap):
        subscription.page(first, 4, ended=False)
    assert subscription.cursor == 1


def test_an_empty_page_of_a_log_that_is_known_to_hold_more_is_refused() -> None:
    subscription = Subscription(cursor=1, buffer_limit_bytes=100)
    subscription.joined(4)
    with pytest.raises(LogGap):
        subscription.empty_page(known=4)


def test_a_commit_during_the_read_of_an_empty_page_leaves_it_behind() -> None:
    subscription = level_subscription()
    subscription.fall_behind()
    known = subscription.newest
    offer(subscription, batch(1, 1))
    subscription.empty_page(known)
    assert not subscription.level
    assert subscription.cursor == 0


def test_it_is_finished_when_the_terminal_event_has_been_taken() -> None:
    subscription = level_subscription()
    offer(subscription, Batch([record(1), record(2, TERMINAL)]))
    assert not subscription.finished
    subscription.take()
    assert subscription.finished


def test_it_is_not_finished_by_a_terminal_event_that_was_dropped_with_the_buffer() -> None:
    subscription = level_subscription()
    offer(subscription, Batch([record(1), record(2, TERMINAL)]))
    subscription.fall_behind()
    assert not subscription.finished
    subscription.page(1, 2, ended=True)
    assert subscription.finished


class AnyInterleaving(RuleBasedStateMachine):
    """A log, a hub that is told of commits some time after they happen, and one slow reader."""

    @initialize(before=st.integers(0, 6), cursor=st.integers(0, 6), limit=st.integers(1, 30))
    def start(self, before: int, cursor: int, limit: int) -> None:
        self.log = [record(number) for number in range(1, before + 1)]
        self.unheard: list[Batch] = []
        self.got: list[int] = []
        self.after = min(cursor, before)
        self.subscription = Subscription(cursor=self.after, buffer_limit_bytes=limit)
        self.joining: int | None = None
        self.joined = False
        self.pending_page: list[LogRecord] | None = None

    @property
    def ended(self) -> bool:
        return bool(self.log) and self.log[-1].type == TERMINAL

    @precondition(lambda self: not self.ended)
    @rule(
        types=st.lists(st.sampled_from([VISIBLE, HIDDEN]), min_size=1, max_size=5),
        terminal=st.booleans(),
    )
    def commit(self, types: list[str], terminal: bool) -> None:
        if terminal:
            types = [*types, TERMINAL]
        start = len(self.log) + 1
        records = [record(start + index, type_) for index, type_ in enumerate(types)]
        self.log += records
        self.unheard.append(Batch(records))

    @precondition(lambda self: self.unheard)
    @rule()
    def hear_of_a_commit(self) -> None:
        offer(self.subscription, self.unheard.pop(0))

    @precondition(lambda self: not self.joined and self.joining is None)
    @rule()
    def ask_where_the_log_stands(self) -> None:
        self.joining = len(self.log)

    @precondition(lambda self: self.joining is not None)
    @rule()
    def hear_where_the_log_stood(self) -> None:
        assert self.joining is not None
        self.subscription.joined(self.joining)
        self.joining = None
        self.joined = True

    @precondition(
        lambda self: self.joined and not self.subscription.level and self.pending_page is None
    )
    @rule(limit=st.integers(1, 4))
    def ask_for_a_page(self, limit: int) -> None:
        cursor = self.subscription.cursor
        self.known = self.subscription.newest
        self.pending_page = self.log[cursor : cursor + limit]

    @precondition(lambda self: self.pending_page is not None)
    @rule()
    def get_the_page(self) -> None:
        assert self.pending_page is not None
        page, self.pending_page = self.pending_page, None
        if not page:
            self.subscription.empty_page(self.known)
            return
        self._deliver(render(page, VIEW).body)
        ended = page[-1].type == TERMINAL
        self.subscription.page(page[0].number, page[-1].number, ended=ended)

    @precondition(lambda self: self.subscription.buffered_bytes)
    @rule()
    def take(self) -> None:
        self._deliver(self.subscription.take().body)

    @precondition(lambda self: self.joined and self.pending_page is None)
    @rule()
    def fall_behind(self) -> None:
        if not self.subscription.finished:
            self.subscription.fall_behind()

    @invariant()
    def everything_came_once_and_in_order(self) -> None:
        if not hasattr(self, "log"):
            return
        passed = self.log[self.after : self.subscription.cursor]
        assert self.got == [one.number for one in passed if one.type != HIDDEN]

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        while self.unheard:
            self.hear_of_a_commit()
        if not self.joined:
            self.joining = len(self.log) if self.joining is None else self.joining
            self.hear_where_the_log_stood()
        while not self.subscription.level or self.subscription.buffered_bytes:
            if self.subscription.buffered_bytes:
                self.take()
            else:
                if self.pending_page is None:
                    self.ask_for_a_page(3)
                self.get_the_page()
        self.everything_came_once_and_in_order()
        assert self.subscription.cursor == len(self.log)
        assert self.subscription.finished == (self.ended and self.after < len(self.log))

    def _deliver(self, body: bytes) -> None:
        self.got += [int(line) for line in body.split()]


AnyInterleaving.TestCase.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None
)
TestAnyInterleavingLosesAndRepeatsNothing = AnyInterleaving.TestCase
