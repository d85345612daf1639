"""Ids sort by when they were made."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.storage.ids import IdGenerator


def constant(value: int) -> Callable[[int], int]:
    return lambda bits: value & ((1 << bits) - 1)


def test_is_a_prefix_and_a_lower_case_ulid() -> None:
    # The timestamp of the ULID specification's example, 01ARZ3NDEK.
    ids = IdGenerator(clock_ms=lambda: 1_469_922_850_259, random_bits=constant(-1))
    assert ids.new_id("exec") == "exec_01arz3ndek" + "z" * 16


@given(clock=st.lists(st.integers(1, 2**47), min_size=2, max_size=50), value=st.integers(0, 2**80))
def test_each_is_greater_than_the_one_before_whatever_the_clock_does(
    clock: list[int], value: int
) -> None:
    times = iter(clock)
    ids = IdGenerator(clock_ms=lambda: next(times), random_bits=constant(value))
    made = [ids.new_id("x") for _ in clock]
    assert made == sorted(set(made))
    assert {len(name) for name in made} == {28}


def test_two_generators_do_not_meet() -> None:
    first, second = IdGenerator(), IdGenerator()
    assert len({generator.new_id("x") for generator in (first, second) for _ in range(100)}) == 200
