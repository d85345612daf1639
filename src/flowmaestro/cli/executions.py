"""``flowmaestro executions``: look at a server's executions, and cancel them."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import typer

from flowmaestro.cli.errors import connected
from flowmaestro.cli.output import AsJson, moment_text, print_table

app = typer.Typer(
    help="List executions, look at one, cancel one.", no_args_is_help=True, rich_markup_mode=None
)

ExecutionId = Annotated[str, typer.Argument(metavar="EXECUTION_ID", help="The execution's id.")]


@app.command("list")
def list_executions(
    workflow_id: Annotated[
        str | None, typer.Option("--workflow", metavar="ID", help="Only of this workflow.")
    ] = None,
    status: Annotated[
        Literal["pending", "running", "completed", "failed", "cancelled"] | None,
        typer.Option("--status", help="Only in this state."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List executions, newest first."""
    with connected() as client:
        page = client.executions.list(
            workflow_id=workflow_id, status=status, per_page=min(limit, 100)
        )
        found = list(islice(page, limit))
    if as_json:
        for execution in found:
            typer.echo(execution.model_dump_json())
        return
    print_table(
        ["id", "status", "workflow", "created", "duration"],
        [
            [
                execution.id,
                execution.status,
                execution.workflow_name,
                moment_text(execution.created_at),
                "-" if execution.duration_ms is None else f"{execution.duration_ms}ms",
            ]
            for execution in found
        ],
    )


@app.command("get")
def get_execution(execution_id: ExecutionId) -> None:
    """Print an execution as JSON."""
    with connected() as client:
        typer.echo(client.executions.get(execution_id).model_dump_json(indent=2))


@app.command("cancel")
def cancel_execution(
    execution_id: ExecutionId,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why, for those who watch it."),
    ] = None,
) -> None:
    """Cancel an execution, and print its status."""
    with connected() as client:
        typer.echo(client.executions.cancel(execution_id, reason=reason).status)
