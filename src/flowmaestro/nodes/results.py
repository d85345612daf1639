"""What a node gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from flowmaestro.nodes.errors import NodeError


@dataclass(frozen=True, slots=True)
class Routed:
    """Returned by a routing node: the edges that leave by another *handle* are not taken."""

    handle: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expanded:
    """Returned by a container node: one scope to run for each entry of *scopes*, in order.

    An entry holds the names its scope adds: a loop's item and index, a workflow's inputs.
    """

    scopes: list[dict[str, Any]]


Result = Mapping[str, Any] | Routed | Expanded
"""A plain mapping is the node's outputs."""


def result_of(returned: object) -> Result:
    """Return what a user's function *returned* as a node's result, in JSON values only.

    An object (or pydantic model, or dataclass) is the outputs themselves; anything else becomes
    ``{"value": …}``. Dates become ISO 8601 text, sets become arrays, NaN and infinities ``null``.

    :raises NodeError: ``invalid_result``, if it holds something that JSON cannot.
    """
    if isinstance(returned, Routed):
        return Routed(returned.handle, _outputs(returned.outputs))
    return _outputs(returned)


def _outputs(value: object) -> dict[str, Any]:
    try:
        # Through JSON text and back: what passes is sure to be stored and streamed, and shares
        # nothing with objects that the function may still change.
        outputs = from_json(to_json(value, inf_nan_mode="null"))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise NodeError(
            f"the node's result cannot be stored as JSON: {error}",
            code="invalid_result",
            retryable=False,
        ) from error
    return outputs if isinstance(outputs, dict) else {"value": outputs}
