"""``workflow``: runs another workflow as one node of this one."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowmaestro.nodes.config import NodeConfig
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Expanded
from flowmaestro.workflow.catalog import NodeTypeSpec


class WorkflowConfig(NodeConfig):
    """Runs another workflow; its outputs are this node's."""

    workflow_id: str = Field(min_length=1, description="The workflow to run. Not a template.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="The inputs to give it.")


def run(config: WorkflowConfig, context: NodeContext) -> Expanded:  # noqa: ARG001
    """Return the called workflow's one scope."""
    return Expanded([config.inputs])


WORKFLOW = NodeType(
    NodeTypeSpec(
        name="workflow",
        config_model=WorkflowConfig,
        container="workflow",
        allows_secrets=False,
        description="Runs another workflow as one node of this one.",
    ),
    run,
    inline=True,
)
