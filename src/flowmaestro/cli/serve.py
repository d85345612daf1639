"""``flowmaestro serve``: the server."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from flowmaestro.cli.errors import CommandFailed
from flowmaestro.cli.extras import server_extras


def serve(
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="ADDRESS", help="The address to listen on. [default: 127.0.0.1]"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            "-p",
            min=0,
            max=65535,
            metavar="N",
            help="0 takes any free port. [default: 8000]",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="URL", help="[default: flowmaestro.db in the current folder]"
        ),
    ] = None,
    nodes: Annotated[
        list[str] | None,
        typer.Option(
            "--nodes", metavar="MODULE", help="A Python module with node types. Repeat it for more."
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option("--log-level", help="What to log at least. [default: info]"),
    ] = None,
    log_format: Annotated[
        Literal["text", "json"] | None,
        typer.Option("--log-format", help="[default: text on a terminal, else json]"),
    ] = None,
) -> None:
    """Run the server; it prints where it listens when it is ready.

    Each option can also be set in the environment: FLOWMAESTRO_HOST, FLOWMAESTRO_PORT, …
    """
    with server_extras("serve"):
        from flowmaestro.main import InvalidSettings, load_settings
        from flowmaestro.main import serve as run_server
    try:
        settings = load_settings(
            host=host,
            port=port,
            database=database,
            nodes=tuple(nodes) if nodes else None,
            log_level=log_level,
            log_format=log_format,
        )
    except InvalidSettings as error:
        raise CommandFailed(*error.problems) from error
    raise typer.Exit(run_server(settings))
