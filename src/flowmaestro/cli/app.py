"""The command line as a whole, and what becomes of its errors.

Exit codes: 0 the execution completed, or the command did what it was asked for; 1 it failed; 2 the
command line was wrong; 130 the execution was cancelled, or Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from flowmaestro.cli import (
    backup,
    demo,
    doctor,
    execute,
    executions,
    keys,
    serve,
    watch,
    workflows,
)
from flowmaestro.cli import run as run_
from flowmaestro.cli.command_help import PlainCommand
from flowmaestro.cli.errors import CommandFailed, one_line

INTERRUPTED = 130


def build_app() -> typer.Typer:
    """Return the command line with all its commands."""
    app = typer.Typer(
        name="flowmaestro",
        help="Run workflows, and watch every execution live.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command()(serve.serve)
    app.command()(run_.run)
    app.command()(execute.execute)
    app.command()(watch.watch)
    app.command()(demo.demo)
    app.command()(doctor.doctor)
    app.command()(backup.backup)
    app.command()(backup.restore)
    groups = {"executions": executions.app, "workflows": workflows.app, "keys": keys.app}
    for name, group in groups.items():
        app.add_typer(group, name=name)
    for group in (app, *groups.values()):
        for command in group.registered_commands:
            command.cls = PlainCommand
    return app


def run(arguments: Sequence[str]) -> int:
    """Run the command that *arguments* name, and return the process's exit code.

    Errors become one line on standard error; a reader of our output that has gone away is none.
    """
    try:
        code = build_app()(list(arguments), prog_name="flowmaestro", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except CommandFailed as error:
        for line in error.lines:
            _complain(line)
        return error.exit_code
    except OSError as error:
        _complain(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return 1
    except Exception as error:
        # typer's own: its versions have no common public name for them.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(message(), err=True)
            return 2
        context = getattr(error, "ctx", None)
        command = "flowmaestro" if context is None else context.command_path
        _complain(f"{message()} ({command} --help)")
        return 2
    return code if isinstance(code, int) else 0


def _complain(line: str) -> None:
    typer.echo(f"error: {one_line(line)}", err=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        from flowmaestro import __version__

        typer.echo(f"flowmaestro {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Run workflows, and watch every execution live."""
