"""A run's rows: what is asked of them, and how figures are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

Run = dict[str, Any]
Row = dict[str, Any]
DASH = "–"


class Results:
    """A run's rows, and what is asked of them."""

    def __init__(self, run: Run) -> None:
        self.rows: list[Row] = run["results"]
        self.peers: dict[str, dict[str, str]] = run["peers"]

    def select(self, **wanted: Any) -> list[Row]:
        return [row for row in self.rows if all(row.get(k) == v for k, v in wanted.items())]

    def values(self, name: str, **wanted: Any) -> list[float]:
        return [row[name] for row in self.select(**wanted) if name in row]

    def middle(self, name: str, **wanted: Any) -> float | None:
        values = self.values(name, **wanted)
        return median(values) if values else None

    def ratio(self, name: str, peer: str, other: str, **wanted: Any) -> float | None:
        """The median of the rounds' ratios: the two were measured within seconds of each other."""
        others = {row["round"]: row[name] for row in self.select(peer=other, **wanted)}
        ratios = [
            row[name] / others[row["round"]]
            for row in self.select(peer=peer, **wanted)
            if others.get(row["round"])
        ]
        return median(ratios) if ratios else None

    def peers_of(self, scenario: str) -> list[str]:
        found = {row["peer"] for row in self.select(scenario=scenario)}
        return [name for name in self.peers if name in found]

    def title(self, peer: str) -> str:
        title = self.peers[peer]["title"]
        return f"**{title}**" if peer == "flowmaestro" else title


def number(value: float | None, digits: int = 1, unit: str = "") -> str:
    return DASH if value is None else f"{value:,.{digits}f}{unit}"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, with the least and the most."""
    if not values:
        return DASH
    middle = number(median(values), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), digits)} to {number(max(values), digits)})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
