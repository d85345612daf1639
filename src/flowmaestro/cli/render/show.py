"""From an iterator of events to what the user sees."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from flowmaestro.cli.render.lines import JsonRenderer, PlainRenderer
from flowmaestro.cli.render.state import PlannedNode
from flowmaestro.events import Event, Status

if TYPE_CHECKING:
    from flowmaestro.client import Reconnecting

__all__ = ["Outcome", "PlannedNode", "Renderer", "make_renderer", "show", "show_async"]

_EXIT_CODES = {"completed": 0, "failed": 1, "cancelled": 130}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended; ``status`` is ``None`` if its end was not seen."""

    status: Status | None

    @property
    def exit_code(self) -> int:
        """0 completed, 1 failed (or unknown), 130 cancelled."""
        return _EXIT_CODES.get(self.status or "", 1)


class Renderer(Protocol):
    """Shows an execution from its events. Enter it before the first, leave it after the last."""

    def event(self, event: Event) -> None:
        """Show the next event."""

    def reconnecting(self, notice: Reconnecting) -> None:
        """Show that the stream broke off and will go on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def make_renderer(
    *,
    as_json: bool = False,
    plan: Iterable[PlannedNode] = (),
    show_outputs: bool = True,
    out: TextIO | None = None,
    notices: TextIO | None = None,
) -> Renderer:
    """Return what suits *out* (default: standard output): the live view on a terminal, plain lines
    elsewhere, JSON lines for *as_json*.

    Args:
        plan: nodes that the live view shows as pending before anything is heard of them.
        show_outputs: whether the live view ends with the execution's outputs.
        notices: where lines tell of reconnects (default: standard error).
    """
    out, notices = out or sys.stdout, notices or sys.stderr
    if as_json:
        return JsonRenderer(out, notices)
    if not out.isatty() or os.environ.get("TERM") == "dumb":
        return PlainRenderer(out, notices)
    from rich.console import Console

    from flowmaestro.cli.render.live import LiveRenderer

    return LiveRenderer(Console(file=out), plan, show_outputs=show_outputs)


def show(events: Iterable[Event], renderer: Renderer) -> Outcome:
    """Show *events* to the terminal one, and return how the execution ended."""
    status: Status | None = None
    with renderer:
        for event in events:
            renderer.event(event)
            if event.terminal:
                status = _status(event)
    return Outcome(status)


async def show_async(events: AsyncIterable[Event], renderer: Renderer) -> Outcome:
    """Do the same with events that come asynchronously."""
    status: Status | None = None
    with renderer:
        async for event in events:
            renderer.event(event)
            if event.terminal:
                status = _status(event)
    return Outcome(status)


def _status(event: Event) -> Status | None:
    status: Status | None = getattr(event, "status", None)
    return status
