"""The page and the plot, from what a run has kept.

python -m benchmarks.fanout.report RUN.json [--markdown FILE] [--plot FILE.svg]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median

from benchmarks.fanout.chart import Bar, draw
from benchmarks.fanout.results import Results, Run
from benchmarks.fanout.tables import SECTIONS, conditions

BEGIN, END = "<!-- fanout: begin -->", "<!-- fanout: end -->"
"""In a file that has these, what is between them is replaced."""


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
