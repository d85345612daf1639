"""``flowmaestro watch``: follow a server's execution, through disconnects, to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flowmaestro.cli.errors import connected

if TYPE_CHECKING:
    from flowmaestro.client import FlowMaestroClient

AsEvents = Annotated[
    bool, typer.Option("--json", help="Print the events as JSON, one object a line.")
]


def watch(
    execution_id: Annotated[
        str, typer.Argument(metavar="EXECUTION_ID", help="The execution to follow.")
    ],
    as_json: AsEvents = False,
) -> None:
    """Follow an execution live, from its first event to its end.

    Exits with 0 if it completed, 1 if it failed, 130 if it was cancelled.
    """
    with connected() as client:
        raise typer.Exit(follow(client, execution_id, as_json=as_json))


def follow(client: FlowMaestroClient, execution_id: str, *, as_json: bool) -> int:
    """Show an execution until it ends, and return the exit code that tells how it ended."""
    from flowmaestro.cli.output import hint
    from flowmaestro.cli.render import make_renderer, show
    from flowmaestro.events import EXTENSION_TYPES

    renderer = make_renderer(as_json=as_json)
    events = client.executions.stream(
        execution_id, include=sorted(EXTENSION_TYPES), on_reconnect=renderer.reconnecting
    )
    try:
        with events:
            return show(events, renderer).exit_code
    except KeyboardInterrupt:
        hint(
            "The execution goes on. Follow it again with: "
            f"flowmaestro watch {execution_id}; stop it with: "
            f"flowmaestro executions cancel {execution_id}"
        )
        raise
