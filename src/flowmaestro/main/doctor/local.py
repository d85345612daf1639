"""The checks of this machine and of the database on it, in the order in which they are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from flowmaestro.main.doctor.configuration import check_node_modules, check_workflows
from flowmaestro.main.doctor.database import check_database, revision_finding
from flowmaestro.main.doctor.files import check_files
from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.main.doctor.machine import check_machine
from flowmaestro.main.doctor.serving import descriptor_finding, lock_finding
from flowmaestro.main.settings import InvalidSettings, Settings, load_settings, unknown_variables
from flowmaestro.nodes import Registry
from flowmaestro.storage import DatabaseTooNew, StorageError, UnsupportedDatabase, database_path
from flowmaestro.storage.sqlite.faults import describe
from flowmaestro.storage.upkeep import lock_state, open_to_read
from flowmaestro.storage.upkeep.inspection import read_revision


def check_local(database: str | None, *, full: bool) -> Iterator[Finding]:
    """Yield what there is to say of this machine, the settings, and the database.

    A server that runs is not disturbed: the database is only read, and its lock only looked at.

    Args:
        database: its URL; ``None``: the settings'.
        full: check all of the database, however long that takes; without it, what can be checked
            in less than a minute.
    """
    yield from check_machine()
    try:
        settings = load_settings(database=database)
    except InvalidSettings as error:
        for text in error.problems:
            yield problem("settings", text.rstrip("."), "set it right, and run this again")
        return
    if unknown := unknown_variables():
        text = f"no settings, and passed over: {', '.join(unknown)}"
        yield warning("settings", text, "spell them right, or unset them")
    else:
        yield ok("settings", "the environment's can be used")
    finding, registry = check_node_modules(settings)
    yield finding
    try:
        path = database_path(settings.database)
        state = lock_state(settings.database)
    except UnsupportedDatabase as error:
        yield problem("database", str(error).rstrip("."), "set FLOWMAESTRO_DATABASE")
        return
    if path.exists():
        yield from check_files(path, max_database_bytes=settings.max_database_bytes)
    yield from _check_contents(path, settings, registry, full=full)
    yield lock_finding(state)
    yield descriptor_finding(state, settings.max_streams)


def _check_contents(
    path: Path, settings: Settings, registry: Registry | None, *, full: bool
) -> Iterator[Finding]:
    if not path.exists():
        yield problem(
            "database",
            f"there is none at {path}",
            "say where it is with --database or FLOWMAESTRO_DATABASE; serve makes one",
        )
        return
    try:
        with closing(open_to_read(path)) as connection:
            revision = read_revision(connection, path)
            yield ok("database", str(path))
            yield revision_finding(revision)
            yield from check_database(connection, full=full, now=datetime.now(UTC))
            yield from check_workflows(connection, settings, registry)
    except DatabaseTooNew as error:
        yield problem("database", str(error).rstrip("."), "install that version")
    except StorageError as error:
        yield problem("database", str(error).rstrip("."), "see what is there, or restore a backup")
    except sqlite3.Error as error:
        yield problem("database", f"{path}: {describe(error)[1]}", "restore a backup")
