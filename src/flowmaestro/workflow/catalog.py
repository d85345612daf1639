"""What the scheduler and validation must know of a node type, without knowing how it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

BODY = "body"
"""The config field of a ``loop`` that holds a nested definition instead of values to render."""


@dataclass(frozen=True)
class NodeTypeSpec:
    """The face of a node type; :mod:`flowmaestro.nodes` makes one for each type."""

    name: str
    config_model: type[BaseModel]
    """Checks the rendered config: snake_case fields, camelCase aliases accepted, extra ignored."""
    handles: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None
    """From the raw config, the handles that edges may leave by; ``None``: not a routing node."""
    container: Literal["loop", "workflow"] | None = None
    """Whether the node opens scopes: a ``loop`` one for each item (its ``config.body`` is a nested
    definition), a ``workflow`` one for the workflow that ``config.workflow_id`` names."""
    allows_secrets: bool = True
    """Whether ``secrets.NAME`` may appear in the config. Containers do not allow it: what they
    render becomes the scopes' inputs, which are logged."""
    description: str = ""
    expression_fields: tuple[str, ...] = ()
    """Config fields whose text is an expression with or without its ``{{ }}``
    (``conditional.expression``): the node evaluates it itself."""
    literal_fields: tuple[str, ...] = ()
    """Config fields that are read before anything is rendered (``output.output_name``), so that a
    template in them is a mistake. ``output_variable``, and a ``workflow`` container's
    ``workflow_id``, are so for every type."""


Catalog = Mapping[str, NodeTypeSpec]
"""The node types of a server by the name that definitions use."""
