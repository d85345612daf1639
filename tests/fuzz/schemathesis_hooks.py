"""What schemathesis sends beside what it draws from the OpenAPI document, and what it checks of
every answer beside what the document says."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import schemathesis
from hypothesis import strategies as st

from flowmaestro.api.errors import STATUS_OF_CODE
from tests.support.api import TIMESTAMP
from tests.support.definitions import definitions
from tests.support.expressions import ATOMS

WORKFLOW_IDS = "FUZZ_WORKFLOW_IDS"
EXECUTION_IDS = "FUZZ_EXECUTION_IDS"
"""Environment variables: the ids of what is there, separated by commas."""

MAX_WAIT_SECONDS = 0.2

_IDS = {
    "workflow_id": st.sampled_from(os.environ.get(WORKFLOW_IDS, "none").split(",")),
    "execution_id": st.sampled_from(os.environ.get(EXECUTION_IDS, "none").split(",")),
}


@schemathesis.hook
def flatmap_path_parameters(
    context: schemathesis.HookContext, path_parameters: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Ask for what is there, as often as not: a drawn id is nobody's."""
    drawn = {name: st.just(value) | _IDS[name] for name, value in (path_parameters or {}).items()}
    return st.fixed_dictionaries(drawn)


@schemathesis.hook
def flatmap_case(
    context: schemathesis.HookContext, case: schemathesis.Case[Any]
) -> st.SearchStrategy[schemathesis.Case[Any]]:
    """Send definitions that can be stored, as often as not: no schema says how to make one."""
    if case.operation.definition.raw["operationId"] not in ("create_workflow", "replace_workflow"):
        return st.just(case)
    return st.just(case) | definitions(ATOMS).map(partial(_with_body, case))


def _with_body(case: schemathesis.Case[Any], body: Any) -> schemathesis.Case[Any]:
    case.body = body  # whether the case is a valid one is worked out again from it
    return case


@schemathesis.hook
def map_query(context: schemathesis.HookContext, query: dict[str, Any]) -> dict[str, Any]:
    """Ask with the key alone, as a ticket beside it is refused; and let a long poll end soon, as
    how long it may last is tested elsewhere."""
    asked = {name: value for name, value in (query or {}).items() if name != "ticket"}
    wait = asked.get("wait")
    if isinstance(wait, int | float) and wait > MAX_WAIT_SECONDS:
        asked["wait"] = MAX_WAIT_SECONDS
    return asked


@schemathesis.check
def has_a_request_id(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    assert response.headers.get("x-request-id"), "a response without X-Request-Id"


@schemathesis.check
def a_failure_has_the_one_shape(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    body = response.json()
    assert set(body) == {"error", "meta"}, "a failure that is not {error, meta}"
    error = body["error"]
    assert set(error) == {"code", "message", "details"}, "an error that is not the one shape"
    assert error["code"] in STATUS_OF_CODE, "an error code that there is not"
    assert response.status_code in (STATUS_OF_CODE[error["code"]], 405), "a code's other status"
    assert isinstance(error["message"], str), "a message that is no sentence"
    assert error["message"], "an empty message"
    assert isinstance(error["details"], dict), "details that are no object"
    assert body["meta"]["request_id"] in response.headers["x-request-id"], "another request's id"
    assert TIMESTAMP.fullmatch(body["meta"]["timestamp"]), "a time that is not the API's"
