"""The database: is it ours, is it whole, do its logs keep their promises, who may use it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.storage.migrations import REVISIONS
from flowmaestro.storage.sqlite.faults import describe
from flowmaestro.storage.upkeep import audit_logs
from flowmaestro.storage.upkeep.inspection import page_faults
from flowmaestro.storage.upkeep.texts import count_text

SAMPLE = 500
CHECK_SECONDS = 20.0
EXPIRY_WARNING = timedelta(days=14)
CLOCK_TOLERANCE = timedelta(seconds=60)
_NAMED = 3
_RESTORE = "restore a backup (flowmaestro restore)"

_NEWEST_MOMENT = """
SELECT max(coalesce((SELECT max(created_at) FROM executions), 0),
           coalesce((SELECT max(completed_at) FROM executions), 0))
"""
_KEYS = """
SELECT id, name, expires_at FROM api_keys
WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
ORDER BY expires_at
"""


def revision_finding(revision: str) -> Finding:
    """Return whether the schema is this version's."""
    if revision == REVISIONS[-1]:
        return ok("database.schema", f"revision {revision}, the newest")
    return warning(
        "database.schema",
        f"revision {revision}, and this version uses {REVISIONS[-1]}",
        "back it up, then start the server, which brings it up to date",
    )


def check_database(
    connection: sqlite3.Connection, *, full: bool, now: datetime
) -> Iterator[Finding]:
    """Yield what there is to say of what is in the database, which is ours.

    With *full* every page, index and log is read, however long that takes.
    """
    yield _journal_finding(connection)
    pages = _pages_finding(connection, full=full)
    yield pages
    if pages.state == "problem":
        return  # what is read from damaged pages says nothing
    yield _logs_finding(connection, full=full)
    yield _clock_finding(connection, now)
    yield _keys_finding(connection, now)


def _journal_finding(connection: sqlite3.Connection) -> Finding:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    # How long a commit waits for the disk is each connection's own, and the server's is FULL.
    if mode == "wal":
        return ok("database.journal", "WAL; the server commits with synchronous=FULL")
    return ok("database.journal", f"{mode}; the server changes it to WAL as it starts")


def _pages_finding(connection: sqlite3.Connection, *, full: bool) -> Finding:
    check = "database.pages"
    deadline = time.monotonic() + CHECK_SECONDS
    if not full:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        faults = page_faults(connection, full=full)
        if not faults and full:
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(_NAMED)
            faults = [
                f"a row of {row[0]} refers to one of {row[2]} that is gone" for row in orphans
            ]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            return problem(check, describe(error)[1], _RESTORE)
        return ok(
            check, f"those read in {CHECK_SECONDS:.0f} seconds are whole (--full reads all of them)"
        )
    except sqlite3.DatabaseError as error:
        return problem(check, describe(error)[1], _RESTORE)
    finally:
        connection.set_progress_handler(None, 0)
    if faults:
        return problem(check, f"the file is damaged: {faults[0]}", _RESTORE)
    return ok(check, "every page and index is whole" if full else "every page is whole")


def _logs_finding(connection: sqlite3.Connection, *, full: bool) -> Finding:
    check = "database.logs"
    try:
        audit = audit_logs(
            connection,
            sample=None if full else SAMPLE,
            seconds=None if full else CHECK_SECONDS,
        )
    except sqlite3.Error as error:
        return problem(check, describe(error)[1], _RESTORE)
    if audit.faults:
        first = audit.faults[0]
        more = len(audit.faults) - 1
        return problem(
            check,
            f"{first.execution_id}: {first.problem}" + (f"; and {more} more" if more else ""),
            f"{_RESTORE}, and report this",
        )
    which = "all of them" if audit.complete else "the newest and the unfinished"
    return ok(
        check,
        f"{count_text(audit.events, 'event')} of {count_text(audit.executions, 'execution')} "
        f"({which}): numbers without gaps, one end, last",
    )


def _clock_finding(connection: sqlite3.Connection, now: datetime) -> Finding:
    (newest,) = connection.execute(_NEWEST_MOMENT).fetchone()
    ahead = datetime.fromtimestamp(newest / 1000, UTC) - now
    if ahead > CLOCK_TOLERANCE:
        return problem(
            "clock",
            f"the database holds moments {ahead.total_seconds():,.0f} seconds from now",
            "set this machine's clock (NTP): it went back, or was ahead",
        )
    return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, and nothing in the database is later")


def _keys_finding(connection: sqlite3.Connection, now: datetime) -> Finding:
    usable = connection.execute(_KEYS, (int(now.timestamp() * 1000),)).fetchall()
    if not usable:
        return warning(
            "keys",
            "no API key opens anything",
            "make one: flowmaestro keys create --name me --bundle full-access",
        )
    limit = (now + EXPIRY_WARNING).timestamp() * 1000
    soon = [(name, at) for _, name, at in usable if at is not None and at < limit]
    text = f"{len(usable):,} usable"
    if not soon:
        return ok("keys", text)
    named = ", ".join(
        f"{name!r} on {datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"
        for name, at in soon[:_NAMED]
    )
    more = f" and {len(soon) - _NAMED} more" if len(soon) > _NAMED else ""
    return warning(
        "keys",
        f"{text}, and some expire soon: {named}{more}",
        "make new ones in time: flowmaestro keys create",
    )
