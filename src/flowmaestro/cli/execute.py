"""``flowmaestro execute``: start an execution of a server's workflow."""

from __future__ import annotations

from typing import Annotated

import typer

from flowmaestro.cli.errors import connected
from flowmaestro.cli.inputs import Inputs, InputsFile, parse_inputs
from flowmaestro.cli.page import open_page
from flowmaestro.cli.watch import follow


def execute(
    workflow_id: Annotated[str, typer.Argument(metavar="WORKFLOW_ID", help="The workflow to run.")],
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow the execution to its end.")
    ] = False,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Show the execution in the browser, live.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the answer as JSON; with --watch, the events, one a line."
        ),
    ] = False,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="A repeat with the same key starts nothing new.",
            metavar="KEY",
        ),
    ] = None,
) -> None:
    """Start an execution and print its id.

    With --open its page opens in the browser; the link, which needs no key for an hour, is printed
    on standard error.

    With --watch it exits with 0 if the execution completed, 1 if it failed, 130 if it was
    cancelled.
    """
    values = parse_inputs(inputs, inputs_file)
    with connected() as client:
        accepted = client.workflows.execute(workflow_id, values, idempotency_key=idempotency_key)
        if open_browser:
            open_page(client, accepted.execution_id)
        if watch:
            raise typer.Exit(follow(client, accepted.execution_id, as_json=as_json))
    if as_json:
        typer.echo(accepted.model_dump_json())
        return
    from flowmaestro.cli.output import hint

    typer.echo(accepted.execution_id)
    hint(f"Follow it with: flowmaestro watch {accepted.execution_id}")
