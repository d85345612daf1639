"""A short run of ``make torture``, and the proof that it would find what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.round import Size
from torture.session import torture
from torture.subjects import FlowMaestro, InMemory

CALM = Size(executions=8, readers=4, faults=0)
"""Nothing happens to the process, only to connections."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["first", "second"])
async def test_every_event_once_in_order_unchanged_through_any_fault(
    tmp_path: Path, seed: str
) -> None:
    size = Size(executions=16, readers=4, faults=5)

    tally = await torture(FlowMaestro(), tmp_path, seed=seed, seconds=0, size=size)

    assert tally.violations == [], "\n".join(tally.lines())
    total = tally.total
    assert total.executions == 16
    assert total.faults.total() == 5
    assert total.connections.total() > total.connections["none"] > 0
    assert total.deliveries > total.executions * 4
    assert total.effects > 0


@pytest.mark.parametrize(
    ("flaw", "kind"),
    [
        ("drops", "lost"),
        ("repeats", "repeated"),
        ("swaps", "reordered"),
        ("alters", "altered"),
        ("goes on", "invented"),
    ],
)
async def test_a_server_that_errs_is_found_out(tmp_path: Path, flaw: str, kind: str) -> None:
    tally = await torture(InMemory(flaw), tmp_path, seed="flaws", seconds=0, size=CALM)

    assert kind in {violation.kind for violation in tally.violations}


async def test_a_server_that_does_not_err_is_not_accused(tmp_path: Path) -> None:
    tally = await torture(InMemory(), tmp_path, seed="sound", seconds=0, size=CALM)

    assert tally.violations == []
    assert tally.total.deliveries == 8 * 4 * 20


async def test_a_server_that_keeps_nothing_is_found_out_when_it_is_killed(tmp_path: Path) -> None:
    size = Size(executions=8, readers=2, faults=6, finish_seconds=10)

    tally = await torture(InMemory(), tmp_path, seed="kills", seconds=0, size=size)

    assert tally.total.faults["kill"] > 0
    assert "forgotten" in {violation.kind for violation in tally.violations}
