"""Which rows of a big execution to show when only so many fit.

First what is running or waiting to be tried again, then what failed, then what ended last, then
what is to come, then what ended inside loops and called workflows, each with what holds it; in the
end they stand in the order they were heard of. It looks at as many rows as it shows, not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from flowmaestro.cli.render.state import ExecutionState, Row


@dataclass(frozen=True, slots=True)
class TreeView:
    """The rows to show, each with its depth, and how many nodes are left out."""

    rows: list[tuple[int, Row]]
    hidden_nodes: int


def choose_rows(state: ExecutionState, limit: int) -> TreeView:
    """Return at most *limit* rows of *state*."""
    chosen: dict[str, Row] = {}
    # A row whose ancestors do not fit any more is passed over; so many, and the screen is full.
    for row in islice(_by_importance(state), 2 * limit):
        if len(chosen) >= limit:
            break
        missing = [row, *state.ancestors(row)]
        missing = [needed for needed in missing if needed.path not in chosen]
        if len(chosen) + len(missing) <= limit:
            chosen.update((needed.path, needed) for needed in missing)
    children: dict[str | None, list[Row]] = {}
    for row in sorted(chosen.values(), key=lambda row: row.order):
        children.setdefault(row.parent, []).append(row)
    shown = list(_walk(children, None, 0))
    nodes = sum(1 for _, row in shown if not row.is_iteration)
    return TreeView(shown, state.known_nodes - nodes)


def _by_importance(state: ExecutionState) -> Iterator[Row]:
    return chain(
        state.active.values(),
        state.failed.values(),
        reversed(state.ended.values()),
        state.pending.values(),
        reversed(state.ended_inside.values()),
    )


def _walk(
    children: dict[str | None, list[Row]], parent: str | None, depth: int
) -> Iterator[tuple[int, Row]]:
    for row in children.get(parent, ()):
        yield depth, row
        yield from _walk(children, row.path, depth + 1)
