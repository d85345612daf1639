"""The page and the plot, from what a run has kept.

python -m benchmarks.load.report RUN.json [--markdown FILE] [--plot FILE.svg]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.fanout.results import DASH, number, table
from benchmarks.load.timeline import Line, Panel, draw

BEGIN, END = "<!-- load: begin -->", "<!-- load: end -->"
"""In a file that has these, what is between them is replaced."""

Run = dict[str, Any]
PART_SECONDS = 20


def render(run: Run) -> str:
    """Return the tables of *run* as Markdown."""
    parts = [stretches(run), curve(run), refusals(run), rest(run), conditions(run)]
    return "\n\n".join(filter(None, parts)) + "\n"


def stretches(run: Run) -> str:
    unloaded = next((one for one in run["stretches"] if one["name"] == "unloaded"), None)
    rows = []
    for stretch in run["stretches"]:
        figures = stretch["figures"]
        rows.append(
            [
                f"{stretch['name']}: {stretch['workflow']}",
                number(figures["offered_per_s"], 0),
                number(figures["ended_per_s"], 0),
                number(figures["cpu_share"] * 100, 0, " %"),
                *(_pair(figures, name) for name in ("accept", "end", "delivery", "watched")),
                _times(figures, unloaded["figures"] if unloaded else None),
            ]
        )
    head = ["", "asked for/s", "ended/s", "server's core", "accepted ms", "ended ms"]
    head += ["event → its reader ms", "event → those who stay ms", "ended ÷ unloaded"]
    return f"### What was done\n\nTimes are p50 / p99.\n\n{table(head, rows)}"


def curve(run: Run) -> str:
    found = next((one for one in run["stretches"] if one["name"] == "load"), None)
    if found is None:
        return ""
    rows = []
    seconds = found["seconds"]
    for first in range(0, len(seconds) - PART_SECONDS // 2, PART_SECONDS):
        part = seconds[first : first + PART_SECONDS]
        rows.append(
            [
                f"{first} to {first + len(part)} s",
                number(_mean(part, "ended"), 0),
                number(_mean(part, "cpu_share") * 100, 0, " %"),
                *(
                    number(_median(part, name))
                    for name in ("accept_p50_ms", "accept_p99_ms", "end_p50_ms", "end_p99_ms")
                ),
                number(_mean(part, "resident_bytes") / 1e6),
                number(_mean(part, "descriptors"), 0),
                number(_mean(part, "tasks"), 0),
                number(part[-1]["database_bytes"] / 1e6, 0),
            ]
        )
    head = ["", "ended/s", "server's core", "accepted p50 ms", "p99", "ended p50 ms", "p99"]
    head += ["resident MB", "descriptors", "tasks", "database MB"]
    return f"### The long stretch\n\n{table(head, rows)}"


def refusals(run: Run) -> str:
    rows = []
    for stretch in run["stretches"]:
        figures = stretch["figures"]
        if not figures["refused"]:
            continue
        rows.append(
            [
                stretch["name"],
                number(figures["offered"], 0),
                number(figures["accepted"], 0),
                number(figures["ended"], 0),
                ", ".join(
                    f"{count:,} × {status}"
                    for status, count in sorted(figures["refused_by_status"].items())
                ),
                number(figures["without_retry_after"], 0),
                _pair(figures, "refuse"),
                _seconds(figures),
            ]
        )
    if not rows:
        return ""
    head = ["", "asked for", "accepted", "of these ended", "refused", "without `Retry-After`"]
    head += ["refused after ms, p50 / p99", "`Retry-After` s, p50 / most"]
    return f"### What was too much\n\n{table(head, rows)}"


def rest(run: Run) -> str:
    names = {
        "resident_bytes": "resident MB",
        "descriptors": "descriptors",
        "tasks": "tasks",
        "threads": "threads",
        "streams_level": "streams",
        "active_executions": "executions in memory",
    }
    rows = []
    for name, title in names.items():
        scale = 1e6 if name == "resident_bytes" else 1
        digits = 1 if name == "resident_bytes" else 0
        most = max(
            (second.get(name, 0) for one in run["stretches"] for second in one["seconds"]),
            default=0,
        )
        values = [one.get(name) for one in run["rests"]]
        values.insert(1, most)
        rows.append([title, *(DASH if v is None else number(v / scale, digits) for v in values)])
    head = ["", *(one["name"] for one in run["rests"])]
    head.insert(2, "most meanwhile")
    return f"### Before, and when it is over\n\n{table(head, rows)}"


def conditions(run: Run) -> str:
    machine, plan = run["machine"], run["plan"]
    watched, each = plan["watched_executions"], plan["events_per_second"]
    lines = [
        f"{run['date']}, {run['minutes']:.0f} minutes: `{run['command']}`",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}; {machine['kernel']}; "
        f"Python {machine['python']}; the database on {machine['disk']}",
        f"{plan['readers']:,} readers stay for the whole run, over {watched} executions with "
        f"{each:g} event a second each; every other execution has a reader of its own from its "
        "acceptance to its end",
        f"what asks and reads used {run['load_busy']:.0%} of its core",
    ]
    lines += [f"**failed**: {failure}" for failure in run["failures"]]
    return "### The run\n\n" + "\n".join(f"- {line}" for line in lines)


def plot(run: Run) -> str:
    """Return the run over time as an SVG."""
    seconds = [
        second | {"stretch": stretch["name"]}
        for stretch in run["stretches"]
        for second in stretch["seconds"]
    ]
    begun = seconds[0]["at"]
    times = [second["at"] - begun for second in seconds]
    bounds: list[tuple[float, str]] = []
    for time, second in zip(times, seconds, strict=True):
        if not bounds or bounds[-1][1] != second["stretch"]:
            bounds.append((time, second["stretch"]))

    def line(name: str, title: str, scale: float = 1.0) -> Line:
        return Line(title, [second.get(name, 0.0) * scale for second in seconds])

    panels = [
        Panel(
            "executions a second",
            [line("offered", "asked for"), line("refused", "refused"), line("ended", "ended")],
        ),
        Panel(
            "from request to end, ms",
            [line("end_p99_ms", "p99"), line("end_p50_ms", "p50")],
            logarithmic=True,
        ),
        Panel("resident MB", [line("resident_bytes", "", 1e-6)]),
        Panel("descriptors", [line("descriptors", "")]),
    ]
    return draw("A server under load", times, panels, bounds)


def write(run: Run, markdown: Path | None, svg: Path | None) -> None:
    """Write the tables to *markdown*, between its marks if it has them, and the plot to *svg*."""
    if markdown:
        text = render(run)
        before = markdown.read_text() if markdown.exists() else ""
        if BEGIN in before and END in before:
            head, _, rest_of_page = before.partition(BEGIN)
            text = f"{head}{BEGIN}\n\n{text}\n{END}{rest_of_page.partition(END)[2]}"
        markdown.write_text(text)
    if svg:
        svg.write_text(plot(run))


def _pair(figures: Run, name: str) -> str:
    if f"{name}_p50_ms" not in figures:
        return DASH
    return f"{number(figures[f'{name}_p50_ms'])} / {number(figures[f'{name}_p99_ms'])}"


def _times(figures: Run, unloaded: Run | None) -> str:
    if unloaded is None or "end_p50_ms" not in figures:
        return DASH
    ratios = [figures[name] / unloaded[name] for name in ("end_p50_ms", "end_p99_ms")]
    return " / ".join(number(ratio) for ratio in ratios)


def _seconds(figures: Run) -> str:
    if "retry_after_p50_ms" not in figures:
        return DASH
    middle, most = figures["retry_after_p50_ms"], figures["retry_after_max_ms"]
    return f"{number(middle / 1000, 0)} / {number(most / 1000, 0)}"


def _values(part: Sequence[Run], name: str) -> list[float]:
    return [second[name] for second in part if name in second]


def _mean(part: Sequence[Run], name: str) -> float:
    values = _values(part, name)
    return sum(values) / max(1, len(values))


def _median(part: Sequence[Run], name: str) -> float | None:
    values = sorted(_values(part, name))
    return values[len(values) // 2] if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="the file that --json has written")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    run = json.loads(options.run.read_text())
    if not options.markdown and not options.plot:
        print(render(run))
    write(run, options.markdown, options.plot)


if __name__ == "__main__":
    main()
