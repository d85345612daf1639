"""Comparing what a page shows with what really comes out, where ids and times differ."""

from __future__ import annotations

import re

_VARYING = (
    (re.compile(r"\b(exec|wf|key|req)_[0-9a-hjkmnp-tv-z]{26}\b"), r"\1_ID"),
    (re.compile(r"\bfm_(live|test)_\w+"), r"fm_\1_KEY"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r'("duration_ms": ?)\d+'), r"\1N"),
    (re.compile(r"\b\d+(\.\d+)? ?m?s\b"), "DURATION"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"(retry: )\d+"), r"\1N"),
)
_ELLIPSIS = "…"


def normalised(text: str) -> str:
    """Return *text* with everything that differs from run to run replaced by a word for it."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def matches(shown: str, real: str) -> bool:
    """Whether *real* is what a page shows; ``…`` in *shown* stands for anything."""
    parts = [re.escape(part) for part in normalised(shown).split(_ELLIPSIS)]
    return re.fullmatch(".*".join(parts), normalised(real), re.DOTALL) is not None


def explain(shown: str, real: str) -> str:
    """Return a message that puts both beside each other."""
    return f"the page shows\n\n{normalised(shown)}\n\nand it is\n\n{normalised(real)}\n\n({real})"
