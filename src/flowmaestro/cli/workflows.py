"""``flowmaestro workflows``: a server's workflows, and new definitions for them."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from flowmaestro.cli.errors import CommandFailed, connected
from flowmaestro.cli.output import AsJson, hint, moment_text, print_table

app = typer.Typer(
    help="List workflows, look at one, push or delete one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

WorkflowId = Annotated[str, typer.Argument(metavar="WORKFLOW_ID", help="The workflow's id.")]


@app.command("push")
def push_workflow(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A definition in JSON or YAML; - is standard input."),
    ],
    workflow_id: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="ID", help="The workflow's id; default: the definition's own."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store a definition, and print the workflow's id.

    A workflow that has this id is replaced, and brought back if it was deleted; without an id a
    new one is made every time.
    """
    from flowmaestro.client import ResourceNotFound

    definition = read_definition(file)
    own_id = definition.pop("id", None)
    target = workflow_id or (own_id if isinstance(own_id, str) else None)
    with connected() as client:
        if target is None:
            workflow = client.workflows.create(definition)
        else:
            try:
                workflow = client.workflows.update(target, definition)
            except ResourceNotFound:
                workflow = client.workflows.create(definition, id=target)
    if as_json:
        typer.echo(workflow.model_dump_json())
        return
    typer.echo(workflow.id)
    hint(
        f"Version {workflow.version} of {workflow.name!r}. "
        f"Run it with: flowmaestro execute {workflow.id} --watch"
    )


@app.command("list")
def list_workflows(
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """List workflows."""
    with connected() as client:
        found = list(islice(client.workflows.list(per_page=min(limit, 100)), limit))
    if as_json:
        for workflow in found:
            typer.echo(workflow.model_dump_json())
        return
    print_table(
        ["id", "version", "name", "updated"],
        [
            [workflow.id, str(workflow.version), workflow.name, moment_text(workflow.updated_at)]
            for workflow in found
        ],
    )


@app.command("get")
def get_workflow(workflow_id: WorkflowId) -> None:
    """Print a workflow with its definition as JSON."""
    with connected() as client:
        typer.echo(client.workflows.get(workflow_id).model_dump_json(indent=2))


@app.command("delete")
def delete_workflow(workflow_id: WorkflowId) -> None:
    """Delete a workflow; executions that run go on."""
    with connected() as client:
        client.workflows.delete(workflow_id)


def read_definition(path: Path) -> dict[str, Any]:
    """Return the definition that *path* holds, in JSON or YAML; ``-`` is standard input.

    Raises:
        CommandFailed: it cannot be read, or is no object.
    """
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror or error}") from error
    definition = _parse(path, data)
    if not isinstance(definition, dict):
        raise CommandFailed(f"{path} holds no workflow definition: it must be one object")
    return definition


def _parse(path: Path, data: bytes) -> object:
    # JSON is tried first even for standard input: it needs no more than the client has.
    import json

    if path.suffix in (".json", "") or data.lstrip()[:1] == b"{":
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            if path.suffix == ".json":
                raise CommandFailed(f"{path} is no JSON: {error}") from error
    try:
        from flowmaestro.workflow import InvalidDefinition, parse_document
    except ImportError as error:
        raise CommandFailed(
            f'reading {path} needs the server extras: pip install "flowmaestro[server]" '
            "(or push the definition as JSON)"
        ) from error
    try:
        return parse_document(data, "yaml")
    except InvalidDefinition as error:
        raise CommandFailed(*(f"{path}: {found.message}" for found in error.problems)) from error
