"""Workflows to run against the API, and what each of its answers must look like."""

from __future__ import annotations

import re
from typing import Any

import httpx2

from flowmaestro.api.errors import STATUS_OF_CODE

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def greeting(**members: Any) -> dict[str, Any]:
    """A workflow that greets its input ``name``."""
    return {
        "name": "Greeting",
        "nodes": {
            "name": {
                "type": "input",
                "config": {"input_name": "name", "input_type": "string", "required": True},
            },
            "greet": {"type": "transform", "config": {"value": "Hello, {{ name }}!"}},
            "out": {
                "type": "output",
                "config": {"output_name": "greeting", "value": "{{ greet.value }}"},
            },
        },
        "edges": [
            {"source": "name", "target": "greet"},
            {"source": "greet", "target": "out"},
        ],
        **members,
    }


def waiting(duration_ms: int = 60_000, **members: Any) -> dict[str, Any]:
    """A workflow that waits."""
    return {
        "name": "Waiting",
        "nodes": {"wait": {"type": "wait", "config": {"duration_ms": duration_ms}}},
        "edges": [],
        **members,
    }


async def create(client: httpx2.AsyncClient, definition: dict[str, Any]) -> str:
    """Create a workflow and return its id."""
    response = await client.post("/api/v1/workflows", json=definition)
    assert response.status_code == 201, response.text
    return str(response.json()["data"]["id"])


async def execute(client: httpx2.AsyncClient, workflow_id: str, **inputs: Any) -> str:
    """Start an execution and return its id."""
    response = await client.post(
        f"/api/v1/workflows/{workflow_id}/execute", json={"inputs": inputs}
    )
    assert response.status_code == 202, response.text
    return str(response.json()["data"]["execution_id"])


async def finish(client: httpx2.AsyncClient, execution_id: str) -> dict[str, Any]:
    """Follow an execution to its end and return it."""
    response = await client.get(f"/api/v1/executions/{execution_id}/events")
    assert response.status_code == 200, response.text
    found = await client.get(f"/api/v1/executions/{execution_id}")
    data: dict[str, Any] = found.json()["data"]
    return data


def assert_meta(response: httpx2.Response) -> None:
    """Check the ``meta`` of an answer against its header."""
    meta = response.json()["meta"]
    assert set(meta) == {"request_id", "timestamp"}
    assert meta["request_id"] == response.headers["X-Request-Id"]
    assert TIMESTAMP.fullmatch(meta["timestamp"])


def assert_error(response: httpx2.Response, code: str, status: int | None = None) -> dict[str, Any]:
    """Check that *response* is the error *code* in the one error shape; return the error."""
    assert response.status_code == (status or STATUS_OF_CODE[code]), response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error", "meta"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code
    assert error["message"]
    assert isinstance(error["details"], dict)
    assert_meta(response)
    return error
