"""Checks of a definition's shape: cycles, and nodes that nothing leads to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from flowmaestro.workflow.problems import Path, Problems, listing, shorten

Edge = tuple[int, str, str]
"""An edge's index in the document, its source and its target; both nodes exist and differ."""


def check_shape(
    nodes: Iterable[str],
    edges: Iterable[Edge],
    entry_point: str | None,
    path: Path,
    problems: Problems,
) -> None:
    """Add a problem for each cycle, and for each node that *entry_point* does not lead to.

    Without an entry point, execution begins at the nodes that no edge leads to, so that only a
    cycle can keep a node from being reached.
    """
    following: dict[str, dict[str, int]] = {node: {} for node in nodes}
    incoming: dict[str, int] = {}
    for index, source, target in edges:
        following[source].setdefault(target, index)
        incoming.setdefault(target, index)
    for component in _strong_components(following):
        if len(component) > 1:
            _report_cycle(component, following, path, problems)
    if entry_point is None or entry_point not in following:
        return
    if entry_point in incoming:
        problems.add(
            (*path, "entry_point"),
            "entry_point",
            f"Execution begins at '{shorten(entry_point)}', but an edge leads to it: "
            f"edges[{incoming[entry_point]}].",
        )
    reached = _reachable(entry_point, following)
    for node in following:
        if node not in reached:
            problems.add(
                (*path, "nodes", node),
                "unreachable",
                f"No path of edges leads to '{shorten(node)}' from the entry point "
                f"'{shorten(entry_point)}'.",
            )


def _report_cycle(
    component: list[str],
    following: Mapping[str, Mapping[str, int]],
    path: Path,
    problems: Problems,
) -> None:
    members = set(component)
    first = min(component, key=list(following).index)
    cycle = _way_back(first, members, following)
    closing = following[cycle[-1]][first]
    names = listing([*cycle, first]).replace(", ", " → ")
    problems.add(
        (*path, "edges", closing),
        "cycle",
        f"The edges form a cycle: {names}. Use a 'loop' node to repeat nodes.",
    )


def _way_back(
    start: str, members: set[str], following: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Return the nodes of a shortest cycle through *start*, within its strong component."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for target in following[node]:
            if target == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if target in members and target not in came_from:
                came_from[target] = node
                queue.append(target)
    raise ValueError(f"{start!r} is on no cycle")


def _reachable(start: str, following: Mapping[str, Mapping[str, int]]) -> set[str]:
    reached, pending = {start}, [start]
    while pending:
        for target in following[pending.pop()]:
            if target not in reached:
                reached.add(target)
                pending.append(target)
    return reached


def _strong_components(following: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return the strongly connected components (Tarjan's algorithm, without recursion: a chain may
    be as long as a definition is large)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    stacked: set[str] = set()
    components: list[list[str]] = []
    for root in following:
        if root in order:
            continue
        order[root] = lowest[root] = len(order)
        stack.append(root)
        stacked.add(root)
        visits = [(root, iter(following[root]))]
        while visits:
            node, targets = visits[-1]
            for target in targets:
                if target not in order:
                    order[target] = lowest[target] = len(order)
                    stack.append(target)
                    stacked.add(target)
                    visits.append((target, iter(following[target])))
                    break
                if target in stacked:
                    lowest[node] = min(lowest[node], order[target])
            else:
                visits.pop()
                if visits:
                    parent = visits[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == order[node]:
                    component: list[str] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                    stacked.difference_update(component)
                    components.append(component)
    return components
