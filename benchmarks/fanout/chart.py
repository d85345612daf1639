"""A chart of horizontal bars as SVG, which follows the reader's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

WIDTH, LABEL_WIDTH, VALUE_WIDTH = 760, 230, 60
TOP, ROW_HEIGHT, BOTTOM = 48, 30, 34

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .tick { fill: #59636e; font-size: 11px; text-anchor: middle; }
  .label { text-anchor: end; }
  .strong { font-weight: 600; }
  line { stroke: #d1d9e0; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  rect { fill: #8c959f; }
  rect.strong { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .tick { fill: #9198a1; }
    line { stroke: #3d444d; }
    .spread { stroke: #f0f6fc; }
    rect { fill: #656c76; }
    rect.strong { fill: #4493f8; }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, as long as the median of its values; a thin line spans them all."""

    label: str
    values: Sequence[float]
    strong: bool = False


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Return the chart. Its axis is logarithmic, from the power of ten below the least value or
    from 1."""
    values = [value for bar in bars for value in bar.values]
    low = 10 ** math.floor(math.log10(min([*values, 1.0])))
    high = max([*values, 10.0]) * 1.1
    left, right = LABEL_WIDTH, WIDTH - VALUE_WIDTH
    bottom = TOP + ROW_HEIGHT * len(bars)

    def x(value: float) -> float:
        return left + (right - left) * math.log(value / low) / math.log(high / low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
    ]
    for tick in ticks(low, high):
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 16}">{tick:g}</text>')
    for index, bar in enumerate(bars):
        y = TOP + ROW_HEIGHT * index
        strong = " strong" if bar.strong else ""
        middle, end = median(bar.values), x(median(bar.values))
        parts.append(
            f'<text class="label{strong}" x="{left - 10}" y="{y + 15}">{escape(bar.label)}</text>'
            f'<rect class="{strong.strip()}" x="{left}" y="{y + 2}" '
            f'width="{max(1.0, end - left):.1f}" height="18" rx="2"/>'
            f'<line class="spread" x1="{x(min(bar.values)):.1f}" x2="{x(max(bar.values)):.1f}" '
            f'y1="{y + 11}" y2="{y + 11}"/>'
            f'<text class="{strong.strip()}" x="{x(max(bar.values)) + 8:.1f}" y="{y + 15}">'
            f"{middle:.1f}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 and their multiples by powers of ten between *low* and *high*."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    return [step for step in steps if low <= step <= high]
