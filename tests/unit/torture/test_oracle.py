"""The oracle finds whatever is done to a recording, and nothing in one that is right."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torture.oracle import (
    Effect,
    Frame,
    Violation,
    check_acceptance,
    check_effects,
    check_log,
    check_recording,
)

TERMINAL = frozenset({"ended"})


def frame(number: int, name: str = "step") -> Frame:
    return Frame(number, name, f'{{"number": {number}}}'.encode())


def log_of(length: int) -> list[Frame]:
    return [*map(frame, range(1, length)), frame(length, "ended")]


logs = st.integers(2, 30).map(log_of)


def kinds(violations: object) -> set[str]:
    assert isinstance(violations, Sequence)
    assert all(isinstance(violation, Violation) for violation in violations)
    return {violation.kind for violation in violations}


def recording_faults(log: list[Frame], recording: list[Frame]) -> set[str]:
    return kinds(list(check_recording("a reader", log, recording)))


@given(logs)
def test_a_log_and_a_recording_that_are_right_are_not_accused(log: list[Frame]) -> None:
    assert kinds(list(check_log("a log", log, TERMINAL))) == set()
    assert recording_faults(log, log) == set()


@given(logs, st.data())
def test_a_lost_event_is_found(log: list[Frame], data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(log))

    assert recording_faults(log, [event for event in log if event != lost]) == {"lost"}


@given(logs, st.data())
def test_a_repeated_event_is_found(log: list[Frame], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(log) - 1))
    again = data.draw(st.integers(first, len(log) - 1))
    recording = [*log[: again + 1], log[first], *log[again + 1 :]]

    assert recording_faults(log, recording) == {"repeated"}


@given(logs, st.data())
def test_an_event_out_of_order_is_found(log: list[Frame], data: st.DataObject) -> None:
    recording = data.draw(st.permutations(log).filter(lambda order: order != log))

    assert recording_faults(log, list(recording)) == {"reordered"}


@given(logs, st.data(), st.sampled_from(["name", "data"]))
def test_a_changed_event_is_found(log: list[Frame], data: st.DataObject, part: str) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    right = log[place]
    wrong = {
        "name": Frame(right.number, right.name + "d", right.data),
        "data": Frame(right.number, right.name, right.data[:-1] + b" }"),
    }[part]

    assert recording_faults(log, [*log[:place], wrong, *log[place + 1 :]]) == {"altered"}


@given(logs)
def test_an_event_after_the_end_is_found(log: list[Frame]) -> None:
    assert recording_faults(log, [*log, frame(len(log) + 1)]) == {"invented"}


def test_a_filter_is_held_to_what_it_lets_through() -> None:
    log = log_of(4)

    def wanted(name: str) -> bool:
        return name == "ended"

    assert kinds(list(check_recording("r", log, log[-1:], wanted))) == set()
    assert kinds(list(check_recording("r", log, [], wanted))) == {"lost"}
    assert kinds(list(check_recording("r", log, log[-2:], wanted))) == {"unasked"}


@pytest.mark.parametrize(
    ("log", "found"),
    [
        ([], {"endless"}),
        ([frame(1), frame(3, "ended")], {"misnumbered"}),
        ([frame(2), frame(3, "ended")], {"misnumbered"}),
        ([frame(1), frame(1), frame(2, "ended")], {"misnumbered"}),
        ([frame(1), frame(2)], {"endless"}),
        ([frame(1), frame(2, "ended"), frame(3)], {"after the end"}),
        ([frame(1), frame(2, "ended"), frame(3, "ended")], {"after the end"}),
    ],
)
def test_a_log_that_breaks_its_law_is_found(log: list[Frame], found: set[str]) -> None:
    assert kinds(list(check_log("a log", log, TERMINAL))) == found


ONE = Effect("e", "n", 1)
TWO = Effect("e", "n", 2)


@pytest.mark.parametrize(
    ("effects", "begun", "succeeded", "found"),
    [
        ([ONE, TWO], {ONE, TWO}, {TWO}, set()),
        ([TWO], {ONE, TWO}, {TWO}, set()),  # the first was killed before it did anything
        ([ONE, ONE], {ONE}, {ONE}, {"effect repeated"}),
        ([ONE], {ONE, TWO}, {TWO}, {"effect missing"}),
        ([ONE, TWO], {ONE}, {ONE}, {"effect unannounced"}),
    ],
)
def test_effects_are_held_to_the_log(
    effects: list[Effect], begun: set[Effect], succeeded: set[Effect], found: set[str]
) -> None:
    assert kinds(list(check_effects(effects, frozenset(begun), frozenset(succeeded)))) == found


@pytest.mark.parametrize(
    ("accepted", "kept", "found"),
    [
        (["a", "b"], ["b", "a"], set()),
        (["a", "b"], ["a"], {"forgotten"}),
        (["a"], ["a", "b"], {"accepted twice"}),
        (["a", "a"], ["a"], {"accepted twice"}),
    ],
)
def test_what_was_accepted_is_what_there_is(
    accepted: list[str], kept: list[str], found: set[str]
) -> None:
    assert kinds(list(check_acceptance(accepted, kept))) == found
