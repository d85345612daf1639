"""The interpreter and the libraries that a server here would run on."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

from flowmaestro.main.doctor.findings import Finding, ok, problem, warning

OLDEST_SQLITE = (3, 38, 0)
"""The first that has JSON whatever it was built with."""


def check_machine() -> Iterator[Finding]:
    """Yield what there is to say of Python and SQLite."""
    yield ok("python", f"Python {platform.python_version()} on {sys.platform}")
    yield sqlite_finding(sqlite3.sqlite_version_info, _compile_options())


def sqlite_finding(version: tuple[int, ...], options: frozenset[str]) -> Finding:
    """Return whether SQLite of this *version*, built with these *options*, is good enough."""
    shown = f"SQLite {'.'.join(map(str, version))}"
    advice = "install a Python that brings another SQLite"
    if version < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        return problem("sqlite", f"{shown} is older than {oldest}", advice)
    if "THREADSAFE=0" in options:
        return problem("sqlite", f"{shown} was built without threads", advice)
    for option in ("OMIT_WAL", "OMIT_JSON"):
        if option in options:
            return problem("sqlite", f"{shown} was built with {option}", advice)
    if "DEFAULT_SYNCHRONOUS=0" in options:
        # The server sets what it needs for each connection; tools such as sqlite3 do not.
        return warning("sqlite", f"{shown} does not wait for the disk by default", advice)
    return ok("sqlite", shown)


def _compile_options() -> frozenset[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        return frozenset(name for (name,) in connection.execute("PRAGMA compile_options"))
