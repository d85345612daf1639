"""Curves over one time axis as SVG, one panel below the other, which follow the reader's light or
dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.fanout.chart import ticks

WIDTH, LEFT, RIGHT = 860, 64, 90
TOP, PANEL_HEIGHT, GAP, BOTTOM = 62, 110, 34, 30
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .panel { font-weight: 600; }
  .tick { fill: #59636e; font-size: 11px; }
  .grid { stroke: #d1d9e0; }
  .bound { stroke: #8c959f; stroke-dasharray: 3 3; }
  polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
  .c0 { stroke: #8c959f; } .c1 { stroke: #cf222e; } .c2 { stroke: #0969da; }
  text.c0 { fill: #59636e; stroke: none; } text.c1 { fill: #cf222e; stroke: none; }
  text.c2 { fill: #0969da; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .tick, text.c0 { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .c1 { stroke: #f85149; } .c2 { stroke: #4493f8; }
    text.c1 { fill: #f85149; } text.c2 { fill: #4493f8; }
  }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A value for each moment."""

    label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines on one scale, from 0, or from the power of ten below the least if *logarithmic*."""

    title: str
    lines: Sequence[Line]
    logarithmic: bool = False


def draw(
    title: str,
    times: Sequence[float],
    panels: Sequence[Panel],
    bounds: Sequence[tuple[float, str]],
) -> str:
    """Return the chart; *times* are seconds, and *bounds* when each stretch began and its name."""
    height = TOP + len(panels) * (PANEL_HEIGHT + GAP) + BOTTOM
    right = WIDTH - RIGHT
    last = max(times)

    def x(seconds: float) -> float:
        return LEFT + (right - LEFT) * seconds / last

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="22">{escape(title)}</text>',
    ]
    for index, (began, name) in enumerate(bounds):
        parts.append(
            f'<line class="bound" x1="{x(began):.1f}" x2="{x(began):.1f}" y1="{TOP - 6}" '
            f'y2="{height - BOTTOM - GAP}"/>'
            f'<text class="tick" x="{x(began) + 2:.1f}" y="{TOP - 8 - 12 * (index % 2)}">'
            f"{escape(name)}</text>"
        )
    for index, panel in enumerate(panels):
        parts += _panel(panel, TOP + index * (PANEL_HEIGHT + GAP) + 16, times, x)
    step = max(10, round(last / 8 / 10) * 10)
    parts += [
        f'<text class="tick" text-anchor="middle" x="{x(tick):.1f}" y="{height - 12}">{tick} s'
        "</text>"
        for tick in range(0, int(last) + 1, step)
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: float, times: Sequence[float], x: object) -> list[str]:
    assert callable(x)
    values = [value for line in panel.lines for value in line.values if value > 0]
    high = max([*values, 1.0]) * 1.1
    low = 10 ** math.floor(math.log10(min([*values, 1.0]))) if panel.logarithmic else 0.0
    bottom, right = top + PANEL_HEIGHT, WIDTH - RIGHT

    def y(value: float) -> float:
        if panel.logarithmic:
            share = math.log(max(value, low) / low) / math.log(high / low)
        else:
            share = value / high
        return bottom - PANEL_HEIGHT * share

    if panel.logarithmic:
        marks = [tick for tick in ticks(low, high) if f"{tick:e}".startswith("1.")]
    else:
        step = next(tick for tick in ticks(0.01, 1e9) if high / tick <= 4)
        marks = [step * index for index in range(int(high / step) + 1)]
    parts = [f'<text class="panel" x="{LEFT}" y="{top - 6:.1f}">{escape(panel.title)}</text>']
    for mark in marks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>'
            f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{y(mark) + 4:.1f}">'
            f"{mark:,.6g}</text>"
        )
    first_color = 3 - len(panel.lines)
    for index, line in enumerate(panel.lines):
        points = " ".join(
            f"{x(time):.1f},{y(value):.1f}"
            for time, value in zip(times, line.values, strict=True)
            if value > 0 or not panel.logarithmic
        )
        color = f"c{first_color + index}"
        parts.append(
            f'<polyline class="{color}" points="{points}"/>'
            f'<text class="{color}" x="{right + 8}" y="{top + 12 + 15 * index:.1f}">'
            f"{escape(line.label)}</text>"
        )
    return parts
