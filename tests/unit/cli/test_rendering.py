"""What is shown of recorded events."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from rich.console import Console

from flowmaestro.cli.render import (
    JsonRenderer,
    Outcome,
    PlainRenderer,
    PlannedNode,
    make_renderer,
    show,
    show_async,
)
from flowmaestro.cli.render.lines import plain_line
from flowmaestro.cli.render.live import LiveRenderer
from flowmaestro.cli.render.state import ExecutionState, parent_path
from flowmaestro.cli.render.tree import choose_rows
from flowmaestro.cli.text import duration_text, printable
from flowmaestro.client import ConnectionFailed, Reconnecting
from flowmaestro.events import (
    LoggedEvent,
    NodeExpanded,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    UnknownEvent,
    decode_event,
)
from tests.support.recorded_events import (
    at,
    cancelled,
    completed,
    failed,
    node_completed,
    node_log,
    node_started,
    progressed,
    short_log,
    started,
)


def node_failed(node_id: str, error: str = "It broke.") -> NodeFailed:
    return NodeFailed(
        **at(
            node_id=node_id,
            node_name=node_id,
            node_type="http",
            error=error,
            error_code="node_error",
            attempt=3,
            duration_ms=70,
        )
    )


def node_retrying(node_id: str) -> NodeRetrying:
    return NodeRetrying(
        **at(
            node_id=node_id, next_attempt=2, delay_ms=500, error="Try again.", error_code="timeout"
        )
    )


def node_skipped(node_id: str) -> NodeSkipped:
    return NodeSkipped(**at(node_id=node_id, node_name=node_id, node_type="http"))


def node_expanded(node_id: str, count: int) -> NodeExpanded:
    return NodeExpanded(**at(node_id=node_id, scopes=[{"index": n} for n in range(count)]))


def drawn(
    events: Sequence[LoggedEvent], *, height: int = 40, plan: Sequence[PlannedNode] = ()
) -> str:
    """Return the live view after *events*, as text."""
    console = Console(
        file=io.StringIO(), width=100, height=height, force_terminal=True, color_system=None
    )
    renderer = LiveRenderer(console, plan)
    for event in events:
        renderer.event(event)
    with console.capture() as capture:
        console.print(renderer.render())
    return capture.get()


def test_plain_lines_are_one_for_each_event_and_stable() -> None:
    log = [
        event.model_copy(update={"number": number}) for number, event in enumerate(short_log(), 1)
    ]
    assert [plain_line(event) for event in log] == [
        "2026-01-02T03:04:05.678Z 1 execution:started workflow_id=wf_greet workflow_name=Greet "
        "total_nodes=1",
        "2026-01-02T03:04:05.688Z 2 node:started greet node_type=transform attempt=1",
        "2026-01-02T03:04:05.808Z 3 node:completed greet attempt=1 duration_ms=120",
        '2026-01-02T03:04:06.178Z 4 execution:completed duration_ms=500 outputs={"text":"Grüße"}',
    ]


@pytest.mark.parametrize(
    ("event", "ending"),
    [
        (
            node_failed("fetch", "No such\nhost"),
            'fetch attempt=3 duration_ms=70 error_code=node_error error="No such\\nhost"',
        ),
        (node_skipped("a"), "node:skipped a node_type=http"),
        (node_expanded("loop", 3), "node:expanded loop scopes=3"),
        (node_log('say "hi"'), 'node:log greet level=info message="say \\"hi\\""'),
        (cancelled("stop"), "execution:cancelled duration_ms=500 reason=stop"),
        (progressed(25), "execution:progress progress=25 completed_nodes=0 total_nodes=1"),
        (
            failed("Broken.", "fetch"),
            "duration_ms=500 failed_node_id=fetch error_code=node_error error=Broken.",
        ),
        (node_log("\x1b[2J\x9b31m\u202e"), r'message="\u001b[2J\u009b31m\u202e"'),
    ],
)
def test_plain_lines_of_each_kind(event: LoggedEvent, ending: str) -> None:
    line = plain_line(event)
    assert ending in line
    assert line.isprintable()


def test_an_unknown_event_has_a_plain_line_too() -> None:
    event = decode_event(
        '{"type":"node:dreamt","execution_id":"exec_1","timestamp":"2026-01-02T03:04:05Z",'
        '"node_id":"a"}',
        7,
    )
    assert isinstance(event, UnknownEvent)
    assert plain_line(event) == "2026-01-02T03:04:05.000Z 7 node:dreamt a"


def test_json_lines_are_the_events_data() -> None:
    out = io.StringIO()
    show(short_log(), JsonRenderer(out, io.StringIO()))
    lines = out.getvalue().splitlines()
    assert [decode_event(line) for line in lines] == short_log()
    assert all("number" not in json.loads(line) for line in lines)


@pytest.mark.parametrize(
    ("last", "exit_code"), [(completed(), 0), (failed(), 1), (cancelled(), 130)]
)
def test_the_exit_code_tells_how_it_ended(last: LoggedEvent, exit_code: int) -> None:
    outcome = show([started(), last], PlainRenderer(io.StringIO(), io.StringIO()))
    assert outcome.exit_code == exit_code


def test_an_end_that_was_not_seen_is_no_success() -> None:
    assert show([started()], PlainRenderer(io.StringIO(), io.StringIO())) == Outcome(None)
    assert Outcome(None).exit_code == 1


async def test_events_may_come_asynchronously() -> None:
    async def events() -> AsyncIterator[LoggedEvent]:
        for event in short_log():
            yield event

    out = io.StringIO()
    outcome = await show_async(events(), PlainRenderer(out, io.StringIO()))
    assert outcome.status == "completed"
    assert len(out.getvalue().splitlines()) == 4


def test_a_reconnect_is_told_beside_the_events() -> None:
    out, notices = io.StringIO(), io.StringIO()
    PlainRenderer(out, notices).reconnecting(Reconnecting(ConnectionFailed("It broke."), 1.25, 3))
    assert out.getvalue() == ""
    assert notices.getvalue() == "reconnecting in 1.2s: It broke.\n"


def test_a_pipe_gets_plain_lines_and_a_terminal_the_live_view(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert type(make_renderer(out=io.StringIO())) is PlainRenderer
    assert type(make_renderer(out=Terminal())) is LiveRenderer
    assert type(make_renderer(out=Terminal(), as_json=True)) is JsonRenderer
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_renderer(out=Terminal())) is PlainRenderer


def test_the_live_view_shows_each_state() -> None:
    view = drawn(
        [
            started(6),
            node_started("fetch"),
            node_completed("fetch"),
            node_started("think"),
            node_started("call"),
            node_failed("call", "No such host"),
            node_started("again"),
            node_retrying("again"),
            node_skipped("never"),
            progressed(40),
        ],
        plan=[PlannedNode("later", "Later", "output")],
    )
    lines = {line.split()[1]: line for line in view.splitlines() if line.startswith("  ")}
    assert "✓" in lines["Fetch"]
    assert "120ms" in lines["Fetch"]
    assert lines["Think"].split()[0] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    assert "✗" in lines["call"]
    assert "No such host" in lines["call"]
    assert "↻" in lines["Again"]
    assert "attempt 2" in lines["Again"]
    assert "–" in lines["never"]
    assert "○" in lines["Later"]
    assert "40%" in view
    assert "Greet  exec_01jx  running" in view


def test_iterations_stand_under_their_loop() -> None:
    view = drawn(
        [
            started(),
            node_started("loop"),
            node_expanded("loop", 3),
            node_started("loop[0].fetch"),
            node_completed("loop[0].fetch"),
            node_started("loop[1].fetch"),
            node_started("loop[1].inner"),
            node_started("loop[1].inner[0].deep"),
        ]
    )
    lines = [line for line in view.splitlines()[2:] if line.startswith("  ")]
    places = [(len(line) - len(line.lstrip()), line.split()[1]) for line in lines]
    assert places == [
        (2, "Loop"),
        (4, "[0]"),
        (6, "Fetch"),
        (4, "[1]"),
        (6, "Fetch"),
        (6, "Inner"),
        (8, "[0]"),
        (10, "Deep"),
    ]
    assert "2 of 3 iterations" in lines[0]


def test_what_fits_is_shown_to_the_end() -> None:
    view = drawn(
        [
            started(),
            node_started("call"),
            node_started("call.inner"),
            node_completed("call.inner"),
            node_completed("call"),
            completed(),
        ]
    )
    assert "Inner" in view
    assert "more nodes" not in view


def test_a_big_workflow_stays_within_the_screen_and_shows_what_runs() -> None:
    events: list[LoggedEvent] = [started(5000), node_started("loop")]
    for index in range(2000):
        events += [node_started(f"loop[{index}].fetch"), node_completed(f"loop[{index}].fetch")]
    events += [node_started(f"loop[{index}].think") for index in range(1995, 2000)]
    events += [node_failed("loop[7].fetch")]
    view = drawn(events, height=24)
    lines = view.rstrip("\n").splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 100 for line in lines)
    assert sum("Think" in line for line in lines) == 5
    assert sum("✗" in line for line in lines) >= 1
    assert "more nodes" in view


def test_drawing_a_big_workflow_is_quick() -> None:
    state = ExecutionState()
    state.apply(started(20_000))
    state.apply(node_started("loop"))
    for index in range(10_000):
        state.apply(node_started(f"loop[{index}].fetch"))
        state.apply(node_completed(f"loop[{index}].fetch"))
    times = []
    for _ in range(5):
        began = time.perf_counter()
        view = choose_rows(state, 20)
        times.append(time.perf_counter() - began)
        assert 0 < len(view.rows) <= 20
    assert min(times) < 0.01


def test_text_from_elsewhere_cannot_move_the_cursor() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    view = drawn(
        [
            started(workflow_name=evil),
            node_started(evil),
            node_failed(evil, evil),
            failed(evil),
        ]
    )
    # The console's own sequences were turned off with its colours.
    assert "\x1b" not in view
    assert "\x07" not in view


def test_the_end_shows_the_outputs_and_why_it_failed() -> None:
    assert "It broke." in drawn([started(), failed()])
    out = io.StringIO()
    console = Console(file=out, width=80, height=24, force_terminal=True, color_system=None)
    outcome = show([*short_log()], LiveRenderer(console))
    assert outcome.status == "completed"
    assert '"text": "Grüße"' in out.getvalue()


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("a", None),
        ("loop[3]", "loop"),
        ("loop[3].a", "loop[3]"),
        ("call.a", "call"),
        ("a[0].b[1].c", "a[0].b[1]"),
        ("a[0].b[1]", "a[0].b"),
        ("odd]", None),
        ("", None),
    ],
)
def test_the_parent_of_a_path(path: str, parent: str | None) -> None:
    assert parent_path(path) == parent


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (-5, "0ms"),
        (0, "0ms"),
        (999, "999ms"),
        (1000, "1.0s"),
        (59_940, "59.9s"),
        (59_960, "1m00s"),
        (185_000, "3m05s"),
        (7_620_000, "2h07m"),
    ],
)
def test_durations(duration_ms: int, text: str) -> None:
    assert duration_text(duration_ms) == text


@pytest.mark.parametrize("text", ["Grüße, 世界 🎉", "a b", "👩‍👩‍👧"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_a_path_of_any_shape_is_shown() -> None:
    for path in ("]", "[", "a.", ".a", "a[", "[0]", "a]b", "a[0]b", "..", "[]"):
        assert drawn([started(), node_started(path), node_completed(path)])
