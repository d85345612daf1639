"""One stretch of the plan: a rate of executions for some seconds, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.offer import Tally


@dataclass(slots=True)
class Stretch:
    """Executions of one workflow at one rate."""

    name: str
    workflow: str
    per_second: float
    seconds: float
    times_capacity: float = 0.0
    """With it the rate is so many times what the server was found to be able to do."""
    began_at: float = 0.0
    offered_until: float = 0.0
    """When the last was offered, of the monotonic clock."""
    tallies: list[Tally] = field(default_factory=list)
    watched: list[list[float]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)

    def add(self, tally: Tally, watched: list[float], state: dict[str, Any]) -> None:
        """Keep one second: what happened, how late events were at those who stay, how it stood."""
        self.tallies.append(tally)
        self.watched.append(watched)
        self.states.append(state)

    def errors(self) -> list[str]:
        """Return what must not have happened, each kind once with its number."""
        found = [error for tally in self.tallies for error in tally.errors]
        kinds = sorted(set(found))
        return [f"{found.count(kind)} × {kind}" for kind in kinds[:10]]

    def figures(self) -> dict[str, Any]:
        """Return the whole in figures; times in milliseconds."""
        total = Tally()
        for tally in self.tallies:
            total.add(tally)
        refused = sum(total.refused.values())
        while_offered = [
            tally
            for tally, state in zip(self.tallies, self.states, strict=True)
            if state["at"] <= self.offered_until + 0.3
        ]
        seconds = max(1.0, self.states[len(while_offered) - 1]["at"] - self.began_at)
        busy = [state["cpu_share"] for state in self.states if "cpu_share" in state]
        return {
            "offered": total.offered,
            "accepted": total.accepted,
            "refused": refused,
            "refused_by_status": {str(status): n for status, n in total.refused.items()},
            "without_retry_after": total.without_retry_after,
            "ended": total.ended,
            "failed": total.failed,
            "offered_per_s": sum(tally.offered for tally in while_offered) / seconds,
            "accepted_per_s": sum(tally.accepted for tally in while_offered) / seconds,
            "ended_per_s": sum(tally.ended for tally in while_offered) / seconds,
            "cpu_share": sum(busy[: len(while_offered)]) / max(1, len(busy[: len(while_offered)])),
            **_percentiles("accept", total.accept_seconds),
            **_percentiles("refuse", total.refuse_seconds),
            **_percentiles("end", total.end_seconds),
            **_percentiles("delivery", total.delivery_seconds),
            **_percentiles("watched", [one for part in self.watched for one in part]),
            **_percentiles("retry_after", total.retry_after_seconds),
        }

    def seconds_seen(self) -> list[dict[str, Any]]:
        """Return each second for itself."""
        return [
            {
                **state,
                "offered": tally.offered,
                "accepted": tally.accepted,
                "ended": tally.ended,
                "refused": sum(tally.refused.values()),
                **_percentiles("accept", tally.accept_seconds),
                **_percentiles("end", tally.end_seconds),
                **_percentiles("delivery", tally.delivery_seconds),
                **_percentiles("watched", watched),
            }
            for tally, watched, state in zip(self.tallies, self.watched, self.states, strict=True)
        ]


def figures_of(figures: dict[str, Any]) -> str:
    """Return a line to be read while it runs."""
    parts = [
        f"{figures['offered_per_s']:.0f}/s offered",
        f"{figures['accepted_per_s']:.0f}/s accepted",
        f"{figures['ended_per_s']:.0f}/s ended",
        f"{figures['refused']} refused",
        f"cpu {figures['cpu_share']:.0%}",
    ]
    for name in ("accept", "refuse", "end", "delivery", "watched"):
        if f"{name}_p50_ms" in figures:
            parts.append(
                f"{name} {figures[f'{name}_p50_ms']:.1f}/{figures[f'{name}_p99_ms']:.1f} ms"
            )
    return ", ".join(parts)


def _percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        f"{name}_p50_ms": 1000 * ordered[int(last * 0.5)],
        f"{name}_p99_ms": 1000 * ordered[min(last, int(len(ordered) * 0.99))],
        f"{name}_max_ms": 1000 * ordered[last],
    }
