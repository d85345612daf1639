"""File descriptors: each open stream needs one, and the usual limit is far below what is wanted."""

from __future__ import annotations

ENOUGH = 1_048_576
"""Where no limit is set, Linux still has this one (``fs.nr_open``)."""
RESERVED = 256
"""For the database, requests that are no streams, and what nodes open."""


def raise_descriptor_limit() -> int | None:
    """Let the process open as many files as the system allows it.

    Returns:
        How many that is; ``None`` where there is no limit.
    """
    try:
        import resource
    except ImportError:  # there is none for Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def reachable_descriptor_limit() -> int | None:
    """Return how many files a process that asks for more may open, without asking; ``None`` where
    there is no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    return max(soft, ENOUGH if hard == resource.RLIM_INFINITY else hard)


def room_for_streams(descriptors: int | None) -> int | None:
    """Return how many streams a process that may open so many files has room for."""
    return None if descriptors is None else max(descriptors - RESERVED, descriptors // 2)
