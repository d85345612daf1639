"""The execution that is made to be streamed: of a workflow that does nothing but wait."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from flowmaestro.client import FlowMaestroClient, FlowMaestroError

PACE_MS = 250
_HOLD = "hold"
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.1


def probe_definition(hold_seconds: float) -> dict[str, Any]:
    """Return a workflow that starts three nodes, one after the other, and then stands still.

    It ends by itself when whoever made it cannot end it.
    """
    names = ["first", "second", _HOLD]
    pauses = [PACE_MS, PACE_MS, round(hold_seconds * 1000)]
    return {
        "name": "flowmaestro doctor",
        "description": "Made by flowmaestro doctor, to look whether streams are held back.",
        "nodes": {
            name: {"type": "wait", "config": {"duration_ms": pause}}
            for name, pause in zip(names, pauses, strict=True)
        },
        "edges": [
            {"source": "first", "target": "second"},
            {"source": "second", "target": _HOLD},
        ],
    }


@dataclass(frozen=True, slots=True)
class Probe:
    """An execution to stream."""

    execution_id: str
    base_url: str
    api_key: str

    @property
    def events_url(self) -> str:
        return f"{self.base_url}/executions/{self.execution_id}/events"

    def wait_until_still(self) -> int | None:
        """Wait until the last node has started, and return the newest number of the log then;
        ``None`` if that does not come.

        The log is read in pages, which come whole whatever is done to streams.
        """
        deadline = time.monotonic() + _READY_SECONDS
        headers = {"X-API-Key": self.api_key, "Accept": "application/json"}
        with httpx2.Client(timeout=10.0, headers=headers) as http:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx2.HTTPError, ValueError, KeyError, TypeError):
                    body = http.get(self.events_url, params={"follow": "false"}).json()
                    started = [event for event in body["data"] if event["type"] == "node:started"]
                    if any(event["node_id"] == _HOLD for event in started):
                        return int(body["next_cursor"])
                time.sleep(_POLL_SECONDS)
        return None


@contextmanager
def running_probe(
    client: FlowMaestroClient, api_key: str, *, hold_seconds: float
) -> Iterator[Probe]:
    """Start an execution for the block; at its end, cancel it and delete its workflow.

    Raises:
        FlowMaestroError: the server does not let us, or does not answer.
    """
    workflow = client.workflows.create(probe_definition(hold_seconds))
    try:
        execution_id = client.workflows.execute(workflow.id).execution_id
        try:
            yield Probe(execution_id, client.base_url, api_key)
        finally:
            with contextlib.suppress(FlowMaestroError):  # it has ended, or ends by itself
                client.executions.cancel(execution_id)
    finally:
        with contextlib.suppress(FlowMaestroError):
            client.workflows.delete(workflow.id)
