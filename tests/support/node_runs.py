"""Runs one node type outside an engine, as an engine would."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from flowmaestro.events.models import LogLevel
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Result


@dataclass
class RecordingReporter:
    """Keeps what a node says."""

    percents: list[float] = field(default_factory=list)
    messages: list[tuple[LogLevel, str]] = field(default_factory=list)
    reported: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the first progress."""

    async def progress(self, percent: float) -> None:
        self.percents.append(percent)
        self.reported.set()

    def log(self, level: LogLevel, message: str) -> None:
        self.messages.append((level, message))


def _no_names(expression: str) -> Any:
    raise LookupError(expression)


def make_context(
    *,
    inputs: Mapping[str, Any] | None = None,
    reporter: RecordingReporter | None = None,
    evaluator: Callable[[str], Any] = _no_names,
    executor: Executor | None = None,
    attempt: int = 1,
) -> NodeContext:
    """Return the context of a node ``work`` of an execution ``exec_1``."""
    return NodeContext(
        execution_id="exec_1",
        node_id="work",
        node_name="Work",
        attempt=attempt,
        inputs=inputs or {},
        reporter=reporter or RecordingReporter(),
        evaluator=evaluator,
        executor=executor,
    )


async def run_node(
    node_type: NodeType, config: Mapping[str, Any], context: NodeContext | None = None
) -> Result:
    """Validate *config* and run the node once."""
    model = node_type.spec.config_model.model_validate(dict(config))
    result = node_type.run(model, context or make_context())
    assert inspect.isawaitable(result) is not node_type.inline
    return await result if inspect.isawaitable(result) else result
