"""How much is fuzzed, and what was.

The environment says it, so that the same tests do a little in every test run and much more under
``make fuzz``: ``FUZZ_SEED`` (by default 0, so that a test run does the same each time),
``FUZZ_SECONDS`` (how long each part may go on; by default a fixed number of cases is run) and
``FUZZ_REPORT`` (a file that gets one JSON object a line: a part and its counts).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, seed, settings

MORE = 10
"""So many times the examples of a test run are drawn at once when there is time."""

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Effort:
    """What a run was asked for."""

    seed: int = 0
    seconds: float | None = None
    report: Path | None = None

    @classmethod
    def from_environment(cls) -> Effort:
        seconds, report = os.environ.get("FUZZ_SECONDS"), os.environ.get("FUZZ_REPORT")
        return cls(
            seed=int(os.environ.get("FUZZ_SEED", "0")),
            seconds=float(seconds) if seconds else None,
            report=Path(report) if report else None,
        )

    def rounds(self, fewest: int) -> Iterator[int]:
        """Count *fewest* rounds, or rounds until the time is up."""
        began = time.monotonic()
        done = 0
        while done < fewest or (
            self.seconds is not None and time.monotonic() - began < self.seconds
        ):
            yield done
            done += 1

    def record(self, part: str, **counts: int) -> None:
        """Report what *part* did: its cases, and whatever else it counted."""
        if self.report is not None:
            with self.report.open("a") as report:
                report.write(json.dumps({"part": part, **counts}) + "\n")


def fuzzed(effort: Effort, examples: int) -> Callable[[Test], Test]:
    """Return a decorator for a property: *examples* of it are drawn, or more if there is time."""
    count = examples if effort.seconds is None else examples * MORE
    drawn = settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )

    def decorate(test: Test) -> Test:
        return seed(effort.seed)(drawn(test))

    return decorate
