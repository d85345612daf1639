"""``wait``: lets time pass."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from flowmaestro.nodes.config import MAX_TIMEOUT_MS, NodeConfig
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.workflow.catalog import NodeTypeSpec


class WaitConfig(NodeConfig):
    """Lets time pass before the nodes behind it start."""

    duration_ms: int = Field(
        ge=0, le=MAX_TIMEOUT_MS, description="How long to wait, in milliseconds; at most a day."
    )


async def run(config: WaitConfig, context: NodeContext) -> dict[str, Any]:
    """Return when the time has passed, restarts of the server included."""
    await asyncio.sleep(max(0, config.duration_ms - context.elapsed_ms) / 1_000)
    return {"duration_ms": config.duration_ms}


WAIT = NodeType(
    NodeTypeSpec(
        name="wait",
        config_model=WaitConfig,
        description="Lets time pass before the nodes behind it start.",
    ),
    run,
    only_waits=True,
)
