"""What a terminal event says of its execution's row."""

from __future__ import annotations

import json

from flowmaestro.events import Event, ExecutionCancelled, ExecutionCompleted, ExecutionFailed
from flowmaestro.storage.schema import to_milliseconds
from flowmaestro.storage.sqlite.appends import Ending


def ending_of(event: Event, data: str) -> Ending:
    """Return the changes to the row that the terminal *event*, encoded as *data*, brings.

    ``outputs`` are taken out of *data* by the database. A cancelled execution has no error: its
    reason is in its last event.
    """
    if isinstance(event, ExecutionCompleted):
        moment = event.completed_at
        return Ending(event.status, to_milliseconds(moment), event.duration_ms, None, None, data)
    if isinstance(event, ExecutionFailed):
        moment = event.completed_at
        details = json.dumps({"code": event.error_code, "node_id": event.failed_node_id})
        return Ending(
            event.status, to_milliseconds(moment), event.duration_ms, event.error, details, data
        )
    if isinstance(event, ExecutionCancelled):
        moment = event.cancelled_at
        return Ending(event.status, to_milliseconds(moment), event.duration_ms, None, None, data)
    raise TypeError(f"{event.type} does not end a log")
