"""The targets of coverage-guided fuzzing hold for what was found worth keeping; a short run of one
looks for more."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.fuzz.coverage_guided import CORPUS, run
from tests.fuzz.effort import Effort
from tests.fuzz.targets import TARGETS

SECONDS = 4.0
KEPT = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_target_holds_for_what_was_kept(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_something_to_begin_with() -> None:
    assert {path.parent.name for path in KEPT} == set(TARGETS)


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="there is no atheris for this machine"
)
def test_fuzzing_the_stream_decoder_finds_nothing(tmp_path: Path, effort: Effort) -> None:
    outcome = run("sse_decoder", tmp_path, seconds=SECONDS, seed=effort.seed)

    assert not outcome.found, outcome.output
    assert outcome.executions > 0
    assert outcome.features > 0
