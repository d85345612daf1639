"""How commands print what they found: for people on a terminal, for programs in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from flowmaestro.cli.text import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print *rows*: aligned under *headers* on a terminal, tab-separated without them in a pipe."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            typer.echo("\t".join(row))
        return
    lines = [[header.upper() for header in headers], *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def moment_text(moment: datetime | None) -> str:
    """Return *moment* to the second in UTC; ``-`` for none."""
    from flowmaestro.events import format_timestamp

    return "-" if moment is None else format_timestamp(moment)


def hint(text: str) -> None:
    """Tell a person at the terminal, and nobody else, what may come next."""
    if sys.stderr.isatty():
        typer.echo(text, err=True)
