"""The node types that every server has, one module each."""

from __future__ import annotations

from flowmaestro.nodes.builtin.ai_chat import make_ai_chat
from flowmaestro.nodes.builtin.conditional import CONDITIONAL
from flowmaestro.nodes.builtin.http import make_http
from flowmaestro.nodes.builtin.input import INPUT
from flowmaestro.nodes.builtin.loop import LOOP
from flowmaestro.nodes.builtin.output import OUTPUT
from flowmaestro.nodes.builtin.router import make_router
from flowmaestro.nodes.builtin.switch import SWITCH
from flowmaestro.nodes.builtin.transform import TRANSFORM
from flowmaestro.nodes.builtin.wait import WAIT
from flowmaestro.nodes.builtin.workflow import WORKFLOW
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.services import Services


def builtin_types(services: Services) -> dict[str, NodeType]:
    """Return them by name, all but ``python``, which the registry makes of its functions."""
    types = (
        INPUT,
        OUTPUT,
        TRANSFORM,
        CONDITIONAL,
        SWITCH,
        make_http(services),
        make_ai_chat("ai_chat", services),
        make_ai_chat("llm", services),
        make_router(services),
        LOOP,
        WAIT,
        WORKFLOW,
    )
    return {node_type.spec.name: node_type for node_type in types}
