"""A node type: what the scheduler must know of it, and the function that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.results import Result
from flowmaestro.workflow.catalog import NodeTypeSpec

Run = Callable[[Any, NodeContext], Result | Awaitable[Result]]
"""Called with the rendered, validated config (an instance of ``spec.config_model``)."""


@dataclass(frozen=True, slots=True)
class NodeType:
    """A node type of a :class:`~flowmaestro.nodes.registry.Registry`.

    ``run`` raises :class:`~flowmaestro.nodes.errors.NodeError` for a clear failure; whatever else
    it raises is the author's bug. Cancelling the awaitable stops the work and closes what it
    opened. Functions without ``async`` are taken to a thread inside ``run``, so a caller treats
    all types alike.
    """

    spec: NodeTypeSpec
    run: Run
    inline: bool = False
    """Pure, fast and without I/O: ``run`` returns its result at once and never awaits."""
    only_waits: bool = False
    """It lets time pass and does nothing else. So the server's default limit of an attempt is not
    for it (a ``timeout_ms`` in the definition is), nor is it ever held to be what stops servers."""
    raw_fields: frozenset[str] = field(default=frozenset())
    """Config fields (snake_case names) whose templates must not be rendered before ``run``."""

    def validated(self, config: Mapping[str, Any]) -> BaseModel:
        """Return the rendered *config* as ``run`` takes it.

        :raises NodeError: ``invalid_config``, with every problem; another attempt would not help.
        """
        try:
            return self.spec.config_model.model_validate(config)
        except ValidationError as error:
            problems = "; ".join(
                f"config.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)
            )
            raise NodeError(problems, code="invalid_config", retryable=False) from error
