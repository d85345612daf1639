"""``output``: gives the execution one of its outputs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowmaestro.nodes.config import NodeConfig
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.workflow.catalog import NodeTypeSpec


class OutputConfig(NodeConfig):
    """Gives the execution one of its outputs, by name."""

    output_name: str = Field(
        min_length=1, description="The name in the execution's outputs. Not a template."
    )
    value: Any = Field(description="The output's value: any JSON value, templates included.")


def run(config: OutputConfig, context: NodeContext) -> dict[str, Any]:  # noqa: ARG001
    """Return the output's name and value."""
    return {"name": config.output_name, "value": config.value}


OUTPUT = NodeType(
    NodeTypeSpec(
        name="output",
        config_model=OutputConfig,
        description="Gives the execution one of its outputs, by name.",
        literal_fields=("output_name",),
    ),
    run,
    inline=True,
)
