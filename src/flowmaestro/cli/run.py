"""``flowmaestro run``: run a definition here and now, with no server and no key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowmaestro.cli.errors import CommandFailed
from flowmaestro.cli.extras import server_extras
from flowmaestro.cli.inputs import Inputs, InputsFile, parse_inputs
from flowmaestro.cli.watch import AsEvents

if TYPE_CHECKING:
    from flowmaestro.main import Settings


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition, YAML or JSON.")],
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    nodes: Annotated[
        list[str] | None,
        typer.Option(
            "--nodes", metavar="MODULE", help="A Python module with node types. Repeat it for more."
        ),
    ] = None,
    workflows: Annotated[
        list[Path] | None,
        typer.Option(
            "--workflow",
            metavar="FILE",
            help="A definition with an id, that the workflow may call. Repeat it for more.",
        ),
    ] = None,
    as_json: AsEvents = False,
) -> None:
    """Run a definition here, without a server, and show it live.

    Exits with 0 if the execution completed, 1 if it failed, 130 if it was cancelled (Ctrl-C).
    """
    values = parse_inputs(inputs, inputs_file)
    with server_extras("run"):
        from flowmaestro.main.settings import InvalidSettings, load_settings
        from flowmaestro.workflow import InvalidDefinition
    from flowmaestro.cli.workflows import read_definition

    try:
        settings = load_settings(nodes=tuple(nodes) if nodes else None)
        called = dict(_with_id(path) for path in workflows or ())
        code = _run(settings, read_definition(file), values, called, as_json=as_json)
    except InvalidSettings as error:
        raise CommandFailed(*error.problems) from error
    except InvalidDefinition as error:
        raise CommandFailed(*_problems(error.problems)) from error
    raise typer.Exit(code)


def _run(
    settings: Settings,
    document: object,
    inputs: dict[str, Any],
    called: dict[str, object],
    *,
    as_json: bool,
) -> int:
    import asyncio
    import signal

    from flowmaestro.cli.render import PlannedNode, make_renderer, show_async
    from flowmaestro.engine import InvalidInputs, UncallableWorkflow
    from flowmaestro.main.local_run import local_run

    async def main() -> int:
        async with local_run(settings, document, inputs, called) as execution:
            loop = asyncio.get_running_loop()
            cancelling: list[asyncio.Task[None]] = []

            def cancel() -> None:
                loop.remove_signal_handler(signal.SIGINT)  # the second Ctrl-C ends it at once
                cancelling.append(loop.create_task(execution.cancel("interrupted by Ctrl-C")))

            loop.add_signal_handler(signal.SIGINT, cancel)
            plan = [
                PlannedNode(node_id, node.name or node_id, node.type)
                for node_id, node in execution.definition.nodes.items()
            ]
            renderer = make_renderer(as_json=as_json, plan=plan)
            outcome = await show_async(execution.events(), renderer)
            await asyncio.gather(*cancelling)
            return outcome.exit_code

    try:
        return asyncio.run(main())
    except InvalidInputs as error:
        raise CommandFailed(*_problems(error.problems)) from error
    except UncallableWorkflow as error:
        raise CommandFailed(f"{error} (give its definition with --workflow FILE)") from error


def _with_id(path: Path) -> tuple[str, object]:
    from flowmaestro.cli.workflows import read_definition

    document = read_definition(path)
    workflow_id = document.pop("id", None) if isinstance(document, dict) else None
    if not isinstance(workflow_id, str):
        raise CommandFailed(f"{path} has no id, by which a workflow node could call it")
    return workflow_id, document


def _problems(problems: Sequence[Any]) -> list[str]:
    return [f"{problem.path or 'the definition'}: {problem.message}" for problem in problems]
