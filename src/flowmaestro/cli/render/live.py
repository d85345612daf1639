"""The live view on a terminal: a progress bar over a tree of nodes, as high as the screen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flowmaestro.cli.render.state import ExecutionState, NodeState, PlannedNode, Row
from flowmaestro.cli.render.tree import choose_rows
from flowmaestro.cli.text import duration_text, printable
from flowmaestro.events import Event, NodeLog

if TYPE_CHECKING:
    from flowmaestro.client import Reconnecting

REFRESHES_PER_SECOND: Final = 8
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_OTHER_LINES: Final = 6
"""Title, bar, a line for what is hidden, the outcome, and room for the cursor."""
_MAX_OUTPUT_CHARS: Final = 4_000

_MARKS: Final[dict[NodeState, tuple[str, str]]] = {
    "pending": ("○", "dim"),
    "running": ("", "cyan"),
    "retrying": ("↻", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "dim"),
}
_STATUS_STYLES: Final = {"completed": "green", "failed": "bold red", "cancelled": "yellow"}


class LiveRenderer:
    """Draws the execution as it stands, again and again, and leaves its end on the screen."""

    def __init__(
        self,
        console: Console,
        plan: Iterable[PlannedNode] = (),
        *,
        show_outputs: bool = True,
    ) -> None:
        self.state = ExecutionState()
        self.state.plan(plan)
        self._console = console
        self._show_outputs = show_outputs
        self._notice: str | None = None
        self._live = Live(
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            get_renderable=self.render,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self._show_outputs and self.state.outputs:
            outputs = json.dumps(self.state.outputs, ensure_ascii=False, indent=2)
            if len(outputs) > _MAX_OUTPUT_CHARS:
                outputs = outputs[:_MAX_OUTPUT_CHARS] + "…"
            lines = (printable(line) for line in outputs.splitlines())
            self._console.print(Text("\n".join(lines)))

    def event(self, event: Event) -> None:
        """Take in the next event; it is seen at the next refresh."""
        self._notice = None
        self.state.apply(event)
        if isinstance(event, NodeLog):
            style = {"error": "red", "warning": "yellow"}.get(event.level, "dim")
            line = Text(f"{printable(event.node_id)} ", "dim")
            self._live.console.print(line.append(printable(event.message), style))

    def reconnecting(self, notice: Reconnecting) -> None:
        """Say that the stream broke off, until the next event."""
        self._notice = " ".join(str(notice.reason).split())

    def render(self) -> RenderableType:
        """Return the view as it is now."""
        state, now = self.state, datetime.now(UTC)
        view = choose_rows(state, max(3, self._console.height - _OTHER_LINES))
        parts: list[RenderableType] = [self._title(now), self._bar()]
        parts += [_row_text(row, depth, now) for depth, row in view.rows]
        if view.hidden_nodes:
            parts.append(Text(f"  … and {view.hidden_nodes} more nodes", "dim"))
        if self._notice is not None:
            parts.append(Text(f"reconnecting: {printable(self._notice)}", "yellow"))
        if state.error is not None:
            parts.append(Text(printable(state.error), _STATUS_STYLES[state.status]))
        return Group(*(_cut(part) for part in parts))

    def _title(self, now: datetime) -> Text:
        state = self.state
        style = _STATUS_STYLES.get(state.status, "cyan")
        title = Text(printable(state.workflow_name or "execution"), "bold")
        title.append(f"  {printable(state.execution_id)}", "dim").append(f"  {state.status}", style)
        if state.duration_ms is not None:
            title.append(f"  {duration_text(state.duration_ms)}", "dim")
        elif state.started_at is not None:
            title.append(f"  {duration_text(_age_ms(state.started_at, now))}", "dim")
        return title

    def _bar(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=100, completed=self.state.progress, width=40)
        counts = f"{self.state.completed_nodes}/{self.state.total_nodes} nodes"
        grid.add_row(bar, Text(f"{self.state.progress:3.0f}%"), Text(counts, "dim"))
        return grid


def _row_text(row: Row, depth: int, now: datetime) -> Text:
    state: NodeState = row.state
    if row.is_iteration:
        state = _iteration_state(row)
    mark, style = _MARKS[state]
    if state == "running":
        mark = _SPINNER[int(now.timestamp() * REFRESHES_PER_SECOND) % len(_SPINNER)]
    label = row.path[row.path.rindex("[") :] if row.is_iteration else row.name
    text = Text("  " * (depth + 1)).append(f"{mark} ", style).append(printable(label))
    details = list(_details(row, state, now))
    if details:
        text.append("  " + " · ".join(details), "dim")
    if row.error is not None and state in ("failed", "retrying"):
        text.append(f"  {printable(row.error)}", style)
    return text


def _details(row: Row, state: NodeState, now: datetime) -> Iterable[str]:
    if row.attempt > 1:
        yield f"attempt {row.attempt}"
    if state == "running" and row.started_at is not None:
        yield duration_text(_age_ms(row.started_at, now))
    elif row.duration_ms is not None:
        yield duration_text(row.duration_ms)
    if state == "running" and row.progress is not None:
        yield f"{row.progress:.0f}%"
    if row.iterations or row.type == "loop":
        yield f"{row.iterations} of {row.scopes or row.iterations} iterations"
    for inner, count in row.counts.items():
        if count:
            yield f"{count} {inner}"


def _iteration_state(row: Row) -> NodeState:
    for state in ("failed", "retrying", "running", "pending", "completed"):
        if row.counts.get(state):
            return state
    return "skipped"


def _age_ms(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds() * 1000)


def _cut(part: RenderableType) -> RenderableType:
    if isinstance(part, Text):
        # One row a line: a view that wraps would be higher than the screen.
        part.no_wrap, part.overflow = True, "ellipsis"
    return part
