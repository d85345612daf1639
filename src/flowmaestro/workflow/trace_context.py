"""Which trace an execution is, and which span an attempt: W3C Trace Context, derived, not drawn.

The ids follow from the execution's id alone (and from the ``traceparent`` of the request that began
it, where there was one). So whoever knows an execution knows its trace, and a server that goes on
with it after a crash goes on with the trace.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final

_TRACEPARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII
)
_SAMPLED: Final = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span, as those refer to it who are below it."""

    execution_id: str
    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    sampled: bool = True
    """Whether it is recorded: what is below it should then be, too."""

    @property
    def traceparent(self) -> str:
        """The header that says so."""
        return f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.sampled else 0:02x}"

    def attempt(self, node_id: str, attempt: int) -> TraceContext:
        """Return the context of an attempt at a node of this execution."""
        return replace(self, span_id=_digits(16, self.execution_id, node_id, str(attempt)))


@dataclass(frozen=True, slots=True)
class RemoteParent:
    """What a ``traceparent`` header says: the span that made a request."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.sampled else 0:02x}"


def parse_traceparent(header: str | None) -> RemoteParent | None:
    """Return what *header* says; ``None`` if it is none, or not a valid one: it is then to be
    ignored (section 3.2.2.3 there), whatever else the request is."""
    match = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return RemoteParent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def execution_context(
    execution_id: str, parent: RemoteParent | None = None, *, sampled: bool = True
) -> TraceContext:
    """Return the root context of an execution: in the trace of *parent*, else in its own, whose id
    is the beginning of the SHA-256 of the execution's."""
    trace_id = parent.trace_id if parent is not None else _digits(32, execution_id)
    return TraceContext(execution_id, trace_id, _digits(16, execution_id, ""), sampled)


def _digits(count: int, *parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:count]
