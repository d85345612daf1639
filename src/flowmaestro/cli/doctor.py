"""``flowmaestro doctor``: is this deployment as it should be."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from flowmaestro.cli.errors import CommandFailed, one_line
from flowmaestro.cli.extras import server_extras
from flowmaestro.cli.output import AsJson

if TYPE_CHECKING:
    from flowmaestro.main.doctor.findings import Finding

_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_NAME_WIDTH = 22


def doctor(
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="URL", help="[default: flowmaestro.db in the current folder]"
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Look at the server at this address, as its clients reach it; and at the database "
            "only if --database is there too.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Check all of the database, however long that takes."),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0,
            max=86_400,
            metavar="SECONDS",
            help="Keep a stream open for so long, and see whether it is cut; with --url.",
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Check a deployment: database and machine, or a server.

    Prints a line for each check: ok, a warning, or a problem, with what to do about it. Exit code
    1 if there is a problem. A server that runs is not disturbed. With --url and a key in
    FLOWMAESTRO_API_KEY it starts an execution, to see whether its stream is held back.
    """
    if wait and url is None:
        raise CommandFailed("--wait needs --url: it is a stream that is kept open", exit_code=2)
    problems = warnings = checks = 0
    for finding in _findings(database, url, full=full, wait=wait):
        checks += 1
        problems += finding.state == "problem"
        warnings += finding.state == "warning"
        _tell(finding, as_json=as_json)
    if sys.stdout.isatty() and not as_json:
        counts = [(checks, "check"), (problems, "problem"), (warnings, "warning")]
        shown = [f"{count} {what}" + ("" if count == 1 else "s") for count, what in counts]
        typer.echo(f"\n{shown[0]}: {shown[1]}, {shown[2]}")
    if problems:
        raise typer.Exit(1)


def _findings(
    database: str | None, url: str | None, *, full: bool, wait: float
) -> Iterator[Finding]:
    if url is None or database is not None:
        with server_extras("doctor without --url"):
            from flowmaestro.main.doctor.local import check_local
        yield from check_local(database, full=full)
    if url is not None:
        from flowmaestro.client.options import API_KEY_VARIABLE
        from flowmaestro.main.doctor.remote import check_server

        api_key = os.environ.get(API_KEY_VARIABLE, "").strip() or None
        yield from check_server(url, api_key, wait_seconds=wait)


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(finding), ensure_ascii=False))
    elif sys.stdout.isatty():
        sign = typer.style(_SIGNS[finding.state], fg=_COLOURS[finding.state])
        typer.echo(f"{sign} {finding.check:<{_NAME_WIDTH}} {one_line(finding.text)}")
        if finding.advice is not None:
            typer.echo(f"  {'':<{_NAME_WIDTH}} → {one_line(finding.advice)}")
    else:
        cells = [finding.state, finding.check, one_line(finding.text)]
        if finding.advice is not None:
            cells.append(one_line(finding.advice))
        typer.echo("\t".join(cells))
    sys.stdout.flush()
