"""Run one attempt of one node: a request in, an outcome out.

Every engine runs nodes through here, wherever that happens, so a node fails in the same ways and
with the same words on all of them. Whatever a node does, :func:`execute_node` returns an outcome.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from flowmaestro.nodes import Expanded, NodeContext, NodeError, NodeType, Reporter, Result, Routed
from flowmaestro.workflow import GraphNode
from flowmaestro.workflow.expressions import ExpressionError, compile_value, evaluate
from flowmaestro.workflow.trace_context import TraceContext

from .redaction import Redactor

logger = logging.getLogger(__name__)

MAX_ERROR_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Completed:
    """The attempt ended well; *handle* is the one a routing node chose."""

    outputs: dict[str, Any]
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed. *retryable*: another one may do better."""

    error: str
    error_code: str
    retryable: bool = True


Outcome = Completed | Expanded | Failed


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """One attempt to be made.

    :param names: what the node's templates may name, secrets included.
    :param inputs: the inputs of the workflow that the node is part of.
    :param timeout_ms: how long the attempt may take; ``None`` is no limit.
    :param trace: the execution's place in a trace.
    """

    execution_id: str
    node_id: str
    node: GraphNode
    attempt: int
    names: Mapping[str, Any]
    inputs: Mapping[str, Any]
    reporter: Reporter
    timeout_ms: int | None = None
    trace: TraceContext | None = None


async def execute_node(
    node_type: NodeType, request: NodeRequest, redactor: Redactor, executor: Executor
) -> Outcome:
    """Run one attempt and return how it ended; secrets are taken out of the outcome.

    Raises nothing but :class:`asyncio.CancelledError`, and that only when the caller cancels:
    the node's own work is cancelled with it.
    """

    task = asyncio.current_task()
    deadline = asyncio.timeout(_seconds(request.timeout_ms))
    outcome: Outcome
    try:
        result = _start(node_type, request, executor)
        if inspect.isawaitable(result):
            async with deadline:
                result = await result
        outcome = _outcome(result)
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
        outcome = Failed("the node was cancelled by its own code", "cancelled")
    except Exception as error:  # whatever an author's code raises fails its node
        if deadline.expired():
            outcome = Failed(f"the node took longer than its {request.timeout_ms} ms", "timeout")
        else:
            outcome = _failed(request, error, redactor)
    return _redacted(outcome, redactor)


def execute_inline(
    node_type: NodeType, request: NodeRequest, redactor: Redactor, executor: Executor
) -> Outcome:
    """Run one attempt of a type that is ``inline``: at once, without a task."""
    try:
        result = _start(node_type, request, executor)
        if inspect.isawaitable(result):
            raise TypeError(f"the node type {node_type.spec.name!r} is inline and must not await")
        outcome = _outcome(result)
    except Exception as error:  # as above
        outcome = _failed(request, error, redactor)
    return _redacted(outcome, redactor)


def _start(node_type: NodeType, request: NodeRequest, executor: Executor) -> Any:
    node = request.node
    if node.compiled_config is None:
        raw = node_type.raw_fields
        node.compiled_config = compile_value(
            {key: value for key, value in node.definition.config.items() if key not in raw}
        )
    config = _validated(node_type, node, node.compiled_config.render(request.names))
    context = NodeContext(
        execution_id=request.execution_id,
        node_id=request.node_id,
        node_name=node.name,
        attempt=request.attempt,
        inputs=request.inputs,
        reporter=request.reporter,
        evaluator=_Evaluator(request.names),
        executor=executor,
        trace=request.trace,
    )
    return node_type.run(config, context)


class _Evaluator:
    __slots__ = ("_names",)

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def __call__(self, expression: str) -> Any:
        return evaluate(expression, self._names)


def _validated(node_type: NodeType, node: GraphNode, config: dict[str, Any]) -> BaseModel:
    for field in node_type.raw_fields:
        if field in node.definition.config:
            config[field] = node.definition.config[field]
    return node_type.validated(config)


def _outcome(result: Result) -> Outcome:
    if isinstance(result, Expanded):
        return result
    if isinstance(result, Routed):
        return Completed(dict(result.outputs), result.handle)
    return Completed(dict(result))


def _redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    if not redactor:
        return outcome
    match outcome:
        case Completed(outputs, handle):
            return Completed(redactor.value(outputs), handle)
        case Failed(error, error_code, retryable):
            return Failed(redactor.text(error), error_code, retryable)
        case Expanded(scopes):
            return Expanded(redactor.value(scopes))


def _failed(request: NodeRequest, error: Exception, redactor: Redactor) -> Failed:
    match error:
        case NodeError():
            return Failed(_shortened(error.message), error.code, error.retryable)
        case ExpressionError():
            return Failed(_shortened(str(error)), "expression_error", retryable=False)
        case _:
            # Not `exc_info`: a traceback quotes values, and a value may be a secret.
            logger.warning(
                "the node raised %s",
                redactor.text("".join(traceback.format_exception(error))),
                extra={"node_id": request.node_id, "attempt": request.attempt},
            )
            sentence = str(error) or "no message"
            return Failed(_shortened(f"{type(error).__name__}: {sentence}"), "node_error")


def _shortened(text: str) -> str:
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    return text[:MAX_ERROR_CHARACTERS] + "…"


def _seconds(timeout_ms: int | None) -> float | None:
    return timeout_ms / 1000 if timeout_ms is not None else None
