"""The tables and the plot, from what a run has kept.

python -m benchmarks.fanout.report RUN.json [--markdown FILE] [--plot FILE.svg]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.fanout.chart import Bar, draw

BEGIN, END = "<!-- fanout: begin -->", "<!-- fanout: end -->"
"""In a file that has these, what is between them is replaced."""

Run = dict[str, Any]
Row = dict[str, Any]
DASH = "–"


class Results:
    """A run's rows, and what is asked of them."""

    def __init__(self, run: Run) -> None:
        self.rows: list[Row] = run["results"]
        self.peers: dict[str, dict[str, str]] = run["peers"]

    def select(self, **wanted: Any) -> list[Row]:
        return [row for row in self.rows if all(row.get(k) == v for k, v in wanted.items())]

    def values(self, name: str, **wanted: Any) -> list[float]:
        return [row[name] for row in self.select(**wanted) if name in row]

    def middle(self, name: str, **wanted: Any) -> float | None:
        values = self.values(name, **wanted)
        return median(values) if values else None

    def ratio(self, name: str, peer: str, other: str, **wanted: Any) -> float | None:
        """The median of the rounds' ratios: the two were measured within seconds of each other."""
        others = {row["round"]: row[name] for row in self.select(peer=other, **wanted)}
        ratios = [
            row[name] / others[row["round"]]
            for row in self.select(peer=peer, **wanted)
            if others.get(row["round"])
        ]
        return median(ratios) if ratios else None

    def peers_of(self, scenario: str) -> list[str]:
        found = {row["peer"] for row in self.select(scenario=scenario)}
        return [name for name in self.peers if name in found]

    def title(self, peer: str) -> str:
        title = self.peers[peer]["title"]
        return f"**{title}**" if peer == "flowmaestro" else title


def number(value: float | None, digits: int = 1, unit: str = "") -> str:
    return DASH if value is None else f"{value:,.{digits}f}{unit}"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, with the least and the most."""
    if not values:
        return DASH
    middle = number(median(values), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), digits)} to {number(max(values), digits)})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def fanout_cost(results: Results) -> str:
    most = max(results.select(scenario="fanout"), key=lambda row: row["readers"] == 1_000)
    readers = most["readers"]
    rows = []
    for peer in results.peers_of("fanout"):
        paced = {"scenario": "fanout", "mode": "paced", "readers": readers}
        flat = paced | {"mode": "flat out"}
        cost = spread(results.values("cpu_us_per_event", peer=peer, **paced), 2)
        late = not all(results.values("keeps_up", peer=peer, **paced))
        rows.append(
            [
                results.title(peer),
                cost + (" †" if late else ""),
                number(results.ratio("cpu_us_per_event", peer, "bare", **paced), 2),
                number(results.ratio("cpu_us_per_event", peer, "nchan", **paced), 2),
                number(results.middle("emit_p50_ms", peer=peer, **paced)),
                number(results.middle("emit_p99_ms", peer=peer, **paced)),
                number(results.middle("emit_p999_ms", peer=peer, **paced)),
                number(results.middle("cpu_us_per_event", peer=peer, **flat), 2),
                number(results.middle("events_per_s", peer=peer, **flat), 0),
            ]
        )
    head = ["", "CPU µs/event", "÷ bare loop", "÷ Nchan", "p50 ms", "p99 ms", "p99.9 ms"]
    head += ["flat out: CPU µs/event", "events/s"]
    pace = f"{most['per_second']:,.0f} events a second to each of {readers:,} readers"
    return "\n\n".join(
        [
            f"### One execution, {readers:,} readers",
            f"Paced: {pace}. The latency is from where an event comes to be to its reader.",
            table(head, rows),
            "† cannot keep up with that pace: its core is full, and the latency is its queue's.",
        ]
    )


def fanout_scaling(results: Results) -> str:
    sizes = sorted({row["readers"] for row in results.select(scenario="fanout")})
    if len(sizes) < 2:
        return ""
    rows = []
    for peer in results.peers_of("fanout"):
        cells = [
            number(
                results.middle(
                    "cpu_us_per_event", scenario="fanout", mode="paced", peer=peer, readers=size
                ),
                2,
            )
            for size in sizes
        ]
        if cells.count(DASH) < len(cells) - 1:
            rows.append([results.title(peer), *cells])
    head = ["CPU µs/event, paced", *(f"{size:,} readers" for size in sizes)]
    return f"### As readers grow\n\n{table(head, rows)}"


def many(results: Results) -> str:
    rows = []
    for peer in results.peers_of("many"):
        base = {"scenario": "many", "peer": peer}
        source = "commit" if results.values("commit_p99_ms", **base, mode="half") else "emit"
        rows.append(
            [
                results.title(peer),
                spread(results.values("events_per_s", **base, mode="one at a time"), 0),
                number(results.middle("events_per_s", **base, mode="bursts"), 0),
                number(results.middle("per_second", **base, mode="half"), 0),
                *(
                    number(results.middle(f"{source}_{name}_ms", **base, mode="half"), 2)
                    for name in ("p50", "p99", "p999")
                ),
                number(results.middle("cpu_us_per_event", **base, mode="half")),
            ]
        )
    head = ["", "events/s", "in bursts of 10", "latency at", "p50 ms", "p99 ms", "p99.9 ms"]
    head += ["CPU µs/event"]
    return "\n\n".join(
        [
            "### 1,000 executions, one reader each",
            "The latency is from the commit to the reader, and from where the event comes to be "
            "where nothing is committed.",
            table(head, rows),
        ]
    )


def idle(results: Results) -> str:
    rows = []
    for peer in results.peers_of("idle"):
        counts = {row["executions"] for row in results.select(scenario="idle", peer=peer)}
        for executions in sorted(counts):
            base = {"scenario": "idle", "peer": peer, "executions": executions}
            rows.append(
                [
                    results.title(peer)
                    + (f", {executions:,} executions" if executions > 1 else ""),
                    number((results.middle("resident_bytes_per_stream", **base) or 0) / 1000, 2),
                    number((results.middle("share_bytes_per_stream", **base) or 0) / 1000, 2),
                    spread(results.values("opened_per_s", **base), 0),
                    number(results.middle("cpu_us_per_open", **base), 0),
                ]
            )
    streams = results.select(scenario="idle")[0]["streams"]
    head = ["", "resident KB/stream", "PSS KB/stream", "opened/s", "CPU µs/open"]
    return f"### {streams:,} idle streams\n\n{table(head, rows)}"


def slow(results: Results) -> str:
    rows = []
    for peer in results.peers_of("slow"):
        for way in ("none", "not read", "SIGSTOP"):
            base = {"scenario": "slow", "peer": peer, "way": way}
            caught_up = results.values("caught_up", **base)
            rows.append(
                [
                    f"{results.title(peer)}, {'nobody stopped' if way == 'none' else way}",
                    number(results.middle("emit_p50_ms", **base)),
                    spread(results.values("emit_p99_ms", **base)),
                    spread([grown / 1e6 for grown in results.values("grown_bytes", **base)], 2),
                    f"{sum(map(bool, caught_up))} of {len(caught_up)}",
                ]
            )
    head = ["", "the others' p50 ms", "p99 ms", "server grown MB", "caught up"]
    return f"### One reader stopped\n\n{table(head, rows)}"


def conditions(run: Run) -> str:
    results = Results(run)
    machine = run["machine"]
    lines = [
        f"{run['date']}, {run['rounds']} rounds in {run['minutes']:.0f} minutes: "
        f"`{run['command']}`",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}; {machine['kernel']}; "
        f"Python {machine['python']}; databases on {machine['disk']}",
    ]
    waiting = results.values("server_waiting", scenario="fanout", peer="bare", mode="paced")
    generator = results.values("generator_busy", scenario="fanout", mode="paced")
    if waiting:
        lines.append(
            f"others on the machine: the bare loop was ready to run and had to wait for its core "
            f"{median(waiting):.1%} of the time (at most {max(waiting):.1%})"
        )
    if generator:
        lines.append(
            f"the load generator used {median(generator):.0%} of its core where events were paced "
            f"(at most {max(generator):.0%})"
        )
    lines += [f"not measured: {name}, since {why}" for name, why in run["skipped"].items()]
    lines += [f"**failed**: {failure.splitlines()[0]}" for failure in run["failures"]]
    peers = [
        [peer["title"], peer["version"] or DASH, peer["setup"]] for peer in run["peers"].values()
    ]
    listed = "\n".join(f"- {line}" for line in lines)
    return f"### The run\n\n{listed}\n\n{table(['', 'versions', 'set-up'], peers)}"


SECTIONS: tuple[tuple[str, Callable[[Results], str]], ...] = (
    ("fanout", fanout_cost),
    ("fanout", fanout_scaling),
    ("many", many),
    ("idle", idle),
    ("slow", slow),
)


def render(run: Run) -> str:
    """Return the tables of *run* as Markdown."""
    results = Results(run)
    parts = [part(results) for scenario, part in SECTIONS if results.select(scenario=scenario)]
    return "\n\n".join([*filter(None, parts), conditions(run)]) + "\n"


def plot(run: Run) -> str:
    """Return the cost of an event for 1,000 readers as an SVG."""
    results = Results(run)
    rows = results.select(scenario="fanout", mode="paced")
    readers = max(rows, key=lambda row: row["readers"] == 1_000)["readers"] if rows else 0
    bars = []
    for peer in results.peers_of("fanout"):
        values = results.values(
            "cpu_us_per_event", scenario="fanout", mode="paced", readers=readers, peer=peer
        )
        title = results.peers[peer]["title"].replace("`", "")
        bars.append(Bar(title, values, strong=peer == "flowmaestro"))
    bars.sort(key=lambda bar: median(bar.values))
    return draw(f"Server CPU for one event to one of {readers:,} readers, µs", bars)


def write(run: Run, markdown: Path | None, svg: Path | None) -> None:
    """Write the tables to *markdown*, between its marks if it has them, and the plot to *svg*."""
    if markdown:
        text = render(run)
        before = markdown.read_text() if markdown.exists() else ""
        if BEGIN in before and END in before:
            head, _, rest = before.partition(BEGIN)
            text = f"{head}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}"
        markdown.write_text(text)
    if svg and Results(run).select(scenario="fanout"):
        svg.write_text(plot(run))


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
