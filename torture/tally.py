"""What is told: a line for each round, and a summary that can be quoted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from torture.oracle import Violation
from torture.round import Outcome

_SHOWN_OF_A_KIND = 3


@dataclass
class Tally:
    """The sum of all rounds."""

    subject: str
    seed: str
    rounds: int = 0
    total: Outcome = field(default_factory=Outcome)
    recoveries_seconds: Sequence[float] = ()

    def add(self, outcome: Outcome) -> None:
        total = self.total
        self.rounds += 1
        total.executions += outcome.executions
        total.readers.update(outcome.readers)
        total.events += outcome.events
        total.deliveries += outcome.deliveries
        total.effects += outcome.effects
        total.faults.update(outcome.faults)
        total.connections.update(outcome.connections)
        total.violations += outcome.violations

    @property
    def violations(self) -> Sequence[Violation]:
        return self.total.violations

    def lines(self) -> list[str]:
        """Return the summary."""
        total = self.total
        troubled = total.connections.total() - total.connections["none"]
        kinds = Counter[str](violation.kind for violation in total.violations)
        lines = [
            f"{self.subject}, seed {self.seed}, rounds {self.rounds}",
            f"  faults of the server  {_counts(total.faults)}",
            f"  connections           {total.connections.total():,}, of which disturbed "
            f"{troubled:,} ({_counts(total.connections, without='none')})",
            f"  executions            {total.executions:,}, events {total.events:,}, "
            f"effects {total.effects:,}",
            f"  readers               {_counts(total.readers)}",
            f"  events compared       {total.deliveries:,}",
            f"  lost                  {kinds['lost']:,}",
            f"  repeated              {kinds['repeated']:,}",
            f"  other violations      {_counts(kinds, without='lost repeated')}",
        ]
        if len(self.recoveries_seconds) > 1:
            percentiles = quantiles(self.recoveries_seconds, n=100, method="inclusive")
            lines.append(
                f"  SIGKILL to answering  p50 {percentiles[49]:.2f} s, p99 {percentiles[98]:.2f} s "
                f"({len(self.recoveries_seconds)} times)"
            )
        return lines + [f"  ✗ {violation}" for violation in self._shown()]

    def _shown(self) -> list[Violation]:
        """Return some violations of each kind."""
        shown: list[Violation] = []
        times: Counter[str] = Counter()
        for violation in self.total.violations:
            times[violation.kind] += 1
            if times[violation.kind] <= _SHOWN_OF_A_KIND:
                shown.append(violation)
        return shown


def _counts(counts: Counter[str], without: str = "") -> str:
    shown = {name: n for name, n in counts.most_common() if name not in without.split(" ") and n}
    listed = ", ".join(f"{name} {n:,}" for name, n in shown.items())
    return f"{sum(shown.values()):,}" + (f": {listed}" if listed else "")
