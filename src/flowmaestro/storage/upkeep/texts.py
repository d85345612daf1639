"""Figures as people read them."""

from __future__ import annotations


def size_text(size_bytes: float) -> str:
    """Return a size as people read it: ``512 bytes``, ``3.4 MB``."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= 1000
        if size_bytes < 999.95:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:.1f} TB"


def count_text(number: int, what: str) -> str:
    """Return a number of things: ``1 execution``, ``12,000 executions``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
