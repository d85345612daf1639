"""A definition made ready to be scheduled: who follows whom, what each node holds and is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowmaestro.workflow.definition import Definition, EdgeDefinition, NodeDefinition

if TYPE_CHECKING:
    from flowmaestro.workflow.expressions import CompiledValue

_OUTPUT_NODE_BYTES = len('{"name":,"value":}') - len(":")
"""What the outputs of an ``output`` node have more than its part of the graph's."""


@dataclass(slots=True, eq=False)
class GraphNode:
    """One node of a graph: its definition, its edges, and what it repeats."""

    id: str
    definition: NodeDefinition
    outgoing: tuple[EdgeDefinition, ...]
    incoming_count: int
    body: Graph | None
    """What a ``loop`` repeats."""
    compiled_config: CompiledValue | None = None
    """The config with its templates compiled: filled in when the node first runs."""

    @property
    def name(self) -> str:
        return self.definition.name or self.id

    @property
    def type(self) -> str:
        return self.definition.type

    @property
    def is_container(self) -> bool:
        """Whether the node opens scopes instead of doing work of its own."""
        return self.body is not None or self.type == "workflow"

    @property
    def workflow_id(self) -> str | None:
        """The workflow that a ``workflow`` node calls."""
        return self.definition.config.get("workflow_id") if self.type == "workflow" else None

    @property
    def max_concurrency(self) -> int:
        """How many scopes of a container may be open at once."""
        value = self.definition.config.get("max_concurrency", 1)
        return value if isinstance(value, int) and value > 0 else 1


class Graph:
    """The nodes of one definition (or of one loop's body) with the edges between them."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        outgoing: dict[str, list[EdgeDefinition]] = {node_id: [] for node_id in definition.nodes}
        incoming = dict.fromkeys(definition.nodes, 0)
        for edge in definition.edges:
            outgoing[edge.source].append(edge)
            incoming[edge.target] += 1
        self.nodes: Mapping[str, GraphNode] = {
            node_id: GraphNode(
                id=node_id,
                definition=node,
                outgoing=tuple(outgoing[node_id]),
                incoming_count=incoming[node_id],
                body=_body(node),
            )
            for node_id, node in definition.nodes.items()
        }
        self.max_concurrent_nodes = definition.settings.max_concurrent_nodes
        self.default_inputs: Mapping[str, Any] = {
            node.config["input_name"]: node.config["default_value"]
            for node in definition.nodes.values()
            if node.type == "input"
            and "input_name" in node.config
            and "default_value" in node.config
        }
        """What inputs are when they are not given, by name."""
        self._output_nodes = [node.id for node in self.nodes.values() if node.type == "output"]
        self._sinks = [node.id for node in self.nodes.values() if not node.outgoing]

    def collect_outputs(self, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return what the graph as a whole gives, from its nodes' *outputs* by id.

        With ``output`` nodes: their values by ``output_name``. Without: the outputs of the nodes
        that no edge leaves, by id. Nodes that were skipped give nothing.
        """
        if self._output_nodes:
            return {
                self.nodes[node_id].definition.config["output_name"]: outputs[node_id].get("value")
                for node_id in self._output_nodes
                if node_id in outputs
            }
        return {node_id: outputs[node_id] for node_id in self._sinks if node_id in outputs}

    def result_bytes(self, outputs_bytes: Mapping[str, int]) -> int:
        """Return how many bytes of JSON :meth:`collect_outputs` gives at least, from the sizes of
        the nodes' outputs."""
        if self._output_nodes:
            return sum(
                max(0, outputs_bytes.get(node_id, 0) - _OUTPUT_NODE_BYTES)
                for node_id in self._output_nodes
            )
        return sum(outputs_bytes.get(node_id, 0) for node_id in self._sinks)


def _body(node: NodeDefinition) -> Graph | None:
    if node.type != "loop":
        return None
    return Graph(Definition.from_document(node.config["body"]))
