"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    """What was looked at: a name that stays the same, such as ``database.pages``."""
    state: State
    """``problem``: something does not work, or will be lost. ``warning``: it may one day."""
    text: str
    """What was found, without a full stop."""
    advice: str | None = None
    """What to do about it; ``None`` when there is nothing to do."""


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", text)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return what works, and could work better or may fail one day."""
    return Finding(check, "warning", text, advice)


def problem(check: str, text: str, advice: str) -> Finding:
    """Return what has to be mended."""
    return Finding(check, "problem", text, advice)
