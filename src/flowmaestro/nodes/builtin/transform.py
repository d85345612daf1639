"""``transform``: makes new values out of earlier ones."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowmaestro.nodes.config import NodeConfig
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.workflow.catalog import NodeTypeSpec


class TransformConfig(NodeConfig):
    """Makes new values out of earlier ones with templates."""

    value: Any = Field(
        description="A template, or an object of templates. An object is the node's outputs; "
        "anything else is its output `value`."
    )


def run(config: TransformConfig, context: NodeContext) -> dict[str, Any]:  # noqa: ARG001
    """Return the rendered value as outputs."""
    return config.value if isinstance(config.value, dict) else {"value": config.value}


TRANSFORM = NodeType(
    NodeTypeSpec(
        name="transform",
        config_model=TransformConfig,
        description="Makes new values out of earlier ones with templates.",
    ),
    run,
    inline=True,
)
