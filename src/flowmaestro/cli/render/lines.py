"""One line for each event: for pipes, log files and ``grep``.

A plain line is the time, the number (``-`` for none), the type, and for a node's event the node,
separated by one space; then ``name=value`` pairs. A value that is not one word is a JSON string.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

from flowmaestro.cli.text import printable
from flowmaestro.events import Event, encode_event, format_timestamp

if TYPE_CHECKING:
    from flowmaestro.client import Reconnecting

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "execution:started": ("workflow_id", "workflow_name", "total_nodes"),
    "execution:progress": ("progress", "completed_nodes", "total_nodes", "current_node"),
    "execution:completed": ("duration_ms", "outputs"),
    "execution:failed": ("duration_ms", "failed_node_id", "error_code", "error"),
    "execution:cancelled": ("duration_ms", "reason"),
    "node:started": ("node_type", "attempt"),
    "node:completed": ("attempt", "duration_ms", "handle"),
    "node:failed": ("attempt", "duration_ms", "error_code", "error"),
    "node:skipped": ("node_type",),
    "node:retrying": ("next_attempt", "delay_ms", "error_code", "error"),
    "node:expanded": ("scopes",),
    "node:log": ("level", "message"),
}


def plain_line(event: Event) -> str:
    """Return *event* as one plain line, without its end."""
    number = "-" if event.number is None else str(event.number)
    words = [format_timestamp(event.timestamp), number, printable(event.type)]
    node_id = getattr(event, "node_id", None)
    if isinstance(node_id, str):
        words.append(_word(node_id))
    for name in _FIELDS.get(event.type, ()):
        value = getattr(event, name)
        if name == "scopes":
            value = len(value)
        if value is not None:
            words.append(f"{name}={_word(value)}")
    return " ".join(words)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        return printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if value and value.isprintable() and not any(character in ' "=\\' for character in value):
        return value
    return printable(json.dumps(value, ensure_ascii=False))


class PlainRenderer:
    """Writes a plain line for each event, at once."""

    def __init__(self, out: TextIO, notices: TextIO) -> None:
        self._out = out
        self._notices = notices

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""

    def event(self, event: Event) -> None:
        print(plain_line(event), file=self._out, flush=True)

    def reconnecting(self, notice: Reconnecting) -> None:
        """Say on *notices* that the stream broke off and will go on."""
        reason = printable(" ".join(str(notice.reason).split()))
        print(f"reconnecting in {notice.delay_seconds:.1f}s: {reason}", file=self._notices)


class JsonRenderer(PlainRenderer):
    """Writes the data of each event, one JSON object a line."""

    def event(self, event: Event) -> None:
        print(encode_event(event), file=self._out, flush=True)
