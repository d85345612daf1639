"""What every response says to browsers and caches, unless it says something else of its own.

OWASP's REST Security Cheat Sheet, "Security Headers": an answer is for who asked and nobody else,
so nothing keeps it, no page embeds it, and no browser takes it for anything but what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)

_RAW = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items())


def add_security_headers(raw: list[tuple[bytes, bytes]]) -> None:
    """Add those of the headers that *raw*, a response's, does not have."""
    present = {name.lower() for name, _ in raw}
    raw.extend(header for header in _RAW if header[0] not in present)
