"""From stored workflow versions to graphs, with the latest ones kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from flowmaestro.storage import UnknownWorkflow, Workflow, Workflows
from flowmaestro.workflow import Definition, Graph

from .errors import UncallableWorkflow

DEFAULT_CAPACITY = 256
LARGE_NODES = 100
"""Graphs of more nodes than this are made in a thread, so that the streams do not wait for it. The
threads are few and nodes use them too, so small graphs, which are most, do without."""

Place = tuple[str, str, int]
"""Workspace, workflow and version."""


class Definitions:
    """Graphs of versions of workflows. A version never changes, so a cached one is never stale.

    :param workflows: where the documents are.
    :param capacity: how many graphs to keep.
    """

    def __init__(self, workflows: Workflows, capacity: int = DEFAULT_CAPACITY) -> None:
        self._workflows = workflows
        self._capacity = capacity
        self._graphs: OrderedDict[Place, Graph] = OrderedDict()
        self._making_large = asyncio.Lock()

    async def load(self, workspace: str, versions: Mapping[str, int]) -> dict[str, Graph]:
        """Return the graphs of the given *versions* of a workspace's workflows, by workflow id.

        :raises UnknownWorkflow: if a version does not exist.
        :raises StorageUnavailable: if it cannot be read.
        """
        graphs = await asyncio.gather(
            *(self._version((workspace, name, version)) for name, version in versions.items())
        )
        return dict(zip(versions, graphs, strict=True))

    async def pin(self, workspace: str, workflow: Workflow) -> dict[str, int]:
        """Return the versions that an execution of *workflow* is to keep, by workflow id: its own
        and those of all workflows that can be called from it, directly or not.

        :raises UncallableWorkflow: if one of them does not exist in *workspace*.
        """
        versions = {workflow.id: workflow.version}
        unvisited = [workflow]
        while unvisited:
            caller = unvisited.pop()
            place = (workspace, caller.id, caller.version)
            graph = await self._graph(place, caller.document)
            for node_id, workflow_id in called_workflows(graph):
                if workflow_id in versions:
                    continue
                try:
                    called = await self._workflows.get(workspace, workflow_id)
                except UnknownWorkflow as error:
                    raise UncallableWorkflow(caller.id, node_id, workflow_id) from error
                versions[called.id] = called.version
                unvisited.append(called)
        return versions

    async def _version(self, place: Place) -> Graph:
        graph = self._graphs.get(place)
        if graph is not None:
            self._graphs.move_to_end(place)
            return graph
        stored = await self._workflows.version(*place)
        return await self._graph(place, stored.document)

    async def _graph(self, place: Place, document: dict[str, Any]) -> Graph:
        graph = self._graphs.get(place)
        if graph is not None:
            return graph
        if _count_nodes(document) <= LARGE_NODES:
            return self._keep(place, _make_graph(document))
        async with self._making_large:
            graph = self._graphs.get(place)  # it was made while this one waited
            if graph is None:
                graph = await asyncio.to_thread(_make_graph, document)
            return self._keep(place, graph)

    def _keep(self, place: Place, graph: Graph) -> Graph:
        self._graphs[place] = graph
        if len(self._graphs) > self._capacity:
            self._graphs.popitem(last=False)
        return graph


def _make_graph(document: dict[str, Any]) -> Graph:
    return Graph(Definition.from_document(document))


def _count_nodes(document: Mapping[str, Any]) -> int:
    """Return how many nodes a stored definition has, those of loops' bodies included."""
    nodes = document["nodes"].values()
    bodies = (node["config"].get("body") for node in nodes if node.get("config"))
    return len(nodes) + sum(
        _count_nodes(body) for body in bodies if isinstance(body, dict) and "nodes" in body
    )


def called_workflows(graph: Graph, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the node id and the workflow id of every ``workflow`` node, loops' bodies included."""
    for node in graph.nodes.values():
        if node.workflow_id is not None:
            yield prefix + node.id, node.workflow_id
        if node.body is not None:
            yield from called_workflows(node.body, f"{prefix}{node.id}.")
