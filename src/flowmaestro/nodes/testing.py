"""For the tests of who writes node types: run one as the engine would, and see what it says.

::

    from flowmaestro.nodes.testing import RecordingContext, run_node

    async def test_greeting() -> None:
        context = RecordingContext()
        assert await run_node(greet, {"name": "Ada"}, context=context) == {"text": "Hello Ada!"}
        assert context.messages == [("info", "greeting Ada")]
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowmaestro.events.models import LogLevel
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.decorators import function_declaration, node_declaration
from flowmaestro.nodes.errors import InvalidNodeFunction
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Result
from flowmaestro.nodes.signature import describe_function
from flowmaestro.nodes.user_types import make_function, make_node_type

__all__ = ["RecordedMessage", "Recorder", "RecordingContext", "run_node"]


class RecordedMessage(NamedTuple):
    """What a node logged; equal to the tuple of both."""

    level: LogLevel
    text: str


@dataclass(slots=True)
class Recorder:
    """Keeps what a node reports, in order."""

    percents: list[float] = field(default_factory=list)
    messages: list[RecordedMessage] = field(default_factory=list)

    async def progress(self, percent: float) -> None:
        """Keep *percent*."""
        self.percents.append(percent)

    def log(self, level: LogLevel, message: str) -> None:
        """Keep *message*."""
        self.messages.append(RecordedMessage(level, message))


def _evaluate_without_names(expression: str) -> Any:
    from flowmaestro.workflow.expressions import evaluate

    return evaluate(expression, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingContext(NodeContext):
    """The context of a node of no execution at all, which keeps what the node says.

    Pass it to an ``async`` function, or to :func:`run_node`. Every field can be given, and none
    must be.
    """

    execution_id: str = "exec_test"
    node_id: str = "node"
    node_name: str = "Node"
    attempt: int = 1
    inputs: Mapping[str, Any] = field(default_factory=dict)
    reporter: Recorder = field(default_factory=Recorder)
    evaluator: Callable[[str], Any] = _evaluate_without_names

    @property
    def percents(self) -> list[float]:
        """The progress that was reported so far, each clipped to 0 to 100."""
        return self.reporter.percents

    @property
    def messages(self) -> list[RecordedMessage]:
        """What was logged so far."""
        return self.reporter.messages


async def run_node(
    node: Callable[..., Any] | NodeType,
    config: Mapping[str, Any] | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    attempt: int = 1,
    context: NodeContext | None = None,
) -> Result:
    """Run one attempt of a node as the engine would: check its config, run it, check its result.

    Args:
        node: a function decorated with ``@node`` or ``@function``, with or without ``async``; or a
            node type.
        config: the node's config, or the function's arguments. Its values are taken as they are:
            expressions in it are not rendered.
        inputs: the inputs of the workflow that the node is part of.
        attempt: from 1.
        context: where to record what the node says; *inputs* and *attempt* are then the context's
            own, and must not be given.

    Returns:
        What the node's outputs would be: ``{"value": …}`` around what is no object; or ``Routed``.

    Raises:
        NodeError: ``invalid_config``, ``invalid_result`` and so on, as in an execution; or the
            node's own.
        InvalidNodeFunction: the function's signature cannot become a config, or it is not
            decorated.
        ValueError: a *context*, and beside it what it has.

    Whatever else the node raises comes through. Cancelling it cancels the node; there is no time
    limit.
    """
    if context is None:
        context = RecordingContext(inputs=inputs or {}, attempt=attempt)
    elif inputs is not None or attempt != 1:
        raise ValueError("inputs and attempt are the context's: give them to it")
    given = config or {}
    if isinstance(node, NodeType):
        return await _run(node, given, context)
    if (declared := node_declaration(node)) is not None:
        return await _run(make_node_type(node, declared), given, context)
    if (named := function_declaration(node)) is not None:
        return await make_function(node, named).call(dict(given), context)
    raise InvalidNodeFunction(
        describe_function(node), "it is decorated with neither @node nor @function"
    )


async def _run(node_type: NodeType, config: Mapping[str, Any], context: NodeContext) -> Result:
    result = node_type.run(node_type.validated(config), context)
    return await result if inspect.isawaitable(result) else result
