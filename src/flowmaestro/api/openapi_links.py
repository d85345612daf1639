"""Which operation takes what another one returns: OpenAPI's links (3.1 §4.8.20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_WORKFLOW_ID = {"workflow_id": "$response.body#/data/id"}
_EXECUTION_ID = {"execution_id": "$response.body#/data/execution_id"}
_SAME_EXECUTION = {"execution_id": "$request.path.execution_id"}


@dataclass(frozen=True)
class _Link:
    operation: str
    """The operationId of what can be called next."""
    parameters: Mapping[str, str] = field(repr=False)
    """Its parameters, as runtime expressions over the response."""
    description: str


# By the operationId and the status of the answer that they start from.
_LINKS: Mapping[tuple[str, str], tuple[_Link, ...]] = {
    ("create_workflow", "201"): (
        _Link("get_workflow", _WORKFLOW_ID, "Read the workflow."),
        _Link("replace_workflow", _WORKFLOW_ID, "Store its next version."),
        _Link("delete_workflow", _WORKFLOW_ID, "Delete it."),
        _Link("execute_workflow", _WORKFLOW_ID, "Start an execution of it."),
    ),
    ("execute_workflow", "202"): (
        _Link("get_execution", _EXECUTION_ID, "Read the execution."),
        _Link("get_events", _EXECUTION_ID, "Follow it."),
        _Link("cancel_execution", _EXECUTION_ID, "End it."),
        _Link("create_ticket", _EXECUTION_ID, "Let others follow it."),
    ),
    ("create_ticket", "201"): (
        _Link(
            "get_events",
            {**_SAME_EXECUTION, "ticket": "$response.body#/data/ticket"},
            "Follow the execution without a key.",
        ),
    ),
}


def links_of(operation_id: str) -> dict[str, dict[str, Any]]:
    """Return the links of the answers of an operation, by status and name."""
    return {
        status: {
            link.operation: {
                "operationId": link.operation,
                "parameters": dict(link.parameters),
                "description": link.description,
            }
            for link in links
        }
        for (start, status), links in _LINKS.items()
        if start == operation_id
    }
