"""The events that every peer sends: the same bytes, of which the number and the time differ.

They look as FlowMaestro's own ``node:log`` events do, which it makes by itself. The message is
``n=NUMBER t=NANOSECONDS``, the time of :func:`time.monotonic_ns` at which the event came to be,
which is the same clock in every process of a machine. Padding follows it where larger events are
asked for.
"""

from __future__ import annotations

EVENT_NAME = "node:log"

DATA_HEAD = (
    '{"type":"node:log","execution_id":"exec_01ke0000000000000000000000",'
    '"timestamp":"2026-01-02T03:04:05.678Z","node_id":"speak","level":"info","message":"'
)

C_FRAME_FORMAT = f'id: %lu\nevent: {EVENT_NAME}\ndata: {DATA_HEAD}n=%lu t=%lu%.*s"}}\n\n'
"""For ``printf``: the number, the number, the time, the padding's length, the padding."""


def message(number: int, sent_ns: int, padding_bytes: int) -> str:
    """Return what an event says."""
    return f"n={number} t={sent_ns}{'x' * padding_bytes}"


def data(number: int, sent_ns: int, padding_bytes: int) -> str:
    """Return an event's JSON."""
    return f'{DATA_HEAD}{message(number, sent_ns, padding_bytes)}"}}'


def frame(number: int, sent_ns: int, padding_bytes: int) -> bytes:
    """Return an event as it goes over the wire."""
    text = data(number, sent_ns, padding_bytes)
    return f"id: {number}\nevent: {EVENT_NAME}\ndata: {text}\n\n".encode()
