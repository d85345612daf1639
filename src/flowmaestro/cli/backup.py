"""``flowmaestro backup`` and ``flowmaestro restore``: the database's file, whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowmaestro.cli.errors import CommandFailed
from flowmaestro.cli.extras import server_extras
from flowmaestro.cli.output import hint

if TYPE_CHECKING:
    from flowmaestro.storage.upkeep import Summary

Database = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="[default: flowmaestro.db in the current folder]"
    ),
]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to make.")],
    database: Database = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take the place of a file that is there.")
    ] = False,
) -> None:
    """Copy the database to a file, under a running server or not.

    It is what was committed at one moment. The file appears under its name when it is whole,
    checked and on the disk. It holds every execution and the hashes of keys: only its owner may
    read it.
    """
    with server_extras("backup"):
        from flowmaestro.storage import database_path
        from flowmaestro.storage.upkeep import back_up
    with _explained(database) as url, _progress("backing up") as progress:
        if not (path := database_path(url)).exists():
            raise CommandFailed(
                f"there is no database at {path} (say where it is with --database or "
                "FLOWMAESTRO_DATABASE)"
            )
        summary = back_up(url, file, force=force, progress=progress)
    typer.echo(f"backed up to {summary.path}: {_describe(summary)}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to restore.")],
    database: Database = None,
) -> None:
    """Put a backup in the database's place, while no server runs.

    The database that was there is kept beside it. What was recorded after the backup is gone:
    executions that were unfinished in it go on when a server starts, and their nodes run again.
    """
    with server_extras("restore"):
        from flowmaestro.storage.upkeep import restore as put_back
    with _explained(database) as url, _progress("restoring") as progress:
        restored = put_back(url, file, progress=progress)
    typer.echo(f"restored {restored.summary.path}: {_describe(restored.summary)}")
    if restored.replaced is not None:
        typer.echo(f"what was there is now {restored.replaced}")
    hint("Start the server, and it goes on from there.")


@contextmanager
def _explained(database: str | None) -> Iterator[str]:
    """Give the database's URL to the block, whose errors become :class:`CommandFailed`."""
    from flowmaestro.main.settings import InvalidSettings, load_settings
    from flowmaestro.storage import StorageError

    try:
        yield load_settings(database=database).database
    except InvalidSettings as error:
        raise CommandFailed(*error.problems) from error
    except StorageError as error:
        raise CommandFailed(str(error)) from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far it has come, on a terminal and nowhere else."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _describe(summary: Summary) -> str:
    from flowmaestro.storage.upkeep.texts import count_text, size_text

    unfinished = f", {summary.unfinished:,} of them unfinished" if summary.unfinished else ""
    executions = count_text(summary.executions, "execution")
    return f"{executions}{unfinished}, {size_text(summary.size_bytes)}"
