"""``flowmaestro demo``: a real workflow over a real file, on a real server, watched live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowmaestro.cli.errors import CommandFailed, explain
from flowmaestro.cli.extras import server_extras

if TYPE_CHECKING:
    from flowmaestro.client import FlowMaestroClient

NODES = "flowmaestro.cli.digest_demo.nodes"
WORKFLOW_ID = "digest"
STOP_SECONDS = 12
_ASSETS = Path(__file__).with_name("digest_demo")


def demo(
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="The text to digest. [default: speeches]"),
    ] = None,
    pace_ms: Annotated[
        int,
        typer.Option(
            "--pace-ms", min=0, metavar="MS", help="How long each section waits, to be watched."
        ),
    ] = 400,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Who writes a summary, if OPENAI_BASE_URL or OPENAI_API_KEY is set.",
        ),
    ] = "gpt-4o-mini",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server running until Ctrl-C.")
    ] = False,
) -> None:
    """Run a document digest on a server of its own, and watch it.

    It starts the server on a free port with a database in a temporary folder, makes a key, pushes
    the workflow, executes it, and follows the stream.
    """
    text_file = file or _ASSETS / "speeches.txt"
    text = _read(text_file)
    with server_extras("demo"):
        import flowmaestro.main.settings  # noqa: F401 - is it there?
    from flowmaestro.client import FlowMaestroClient, FlowMaestroError

    folder = Path(tempfile.mkdtemp(prefix="flowmaestro-demo-"))
    database = folder / "demo.db"
    key = _flowmaestro("keys", "create", "--name", "demo", "--bundle", "full-access",
                       "--database", str(database))  # fmt: skip
    inputs = {
        "text": text,
        "title": text_file.name,
        "pace_ms": pace_ms,
        "use_model": any(os.environ.get(name) for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY")),
        "model": model,
    }
    with _server(database, folder / "server.log") as base_url:
        _say(f"server     {base_url} (database {database})")
        try:
            with FlowMaestroClient(api_key=key, base_url=base_url) as client:
                execution_id, code = _watch(client, inputs)
        except FlowMaestroError as error:
            raise CommandFailed(*explain(error)) from error
        _explain(base_url, execution_id, key, database)
        if keep:
            _say("\nThe server runs until Ctrl-C.")
            signal.pause()
    raise typer.Exit(code)


def _watch(client: FlowMaestroClient, inputs: Mapping[str, Any]) -> tuple[str, int]:
    from flowmaestro.cli.render import PlannedNode, make_renderer, show
    from flowmaestro.cli.workflows import read_definition

    definition = read_definition(_ASSETS / "workflow.yaml")
    workflow = client.workflows.create(definition, id=WORKFLOW_ID)
    _say(f"workflow   {workflow.id}, version {workflow.version}: {workflow.name}")
    execution_id = client.workflows.execute(workflow.id, inputs).execution_id
    _say(f"execution  {execution_id}\n")
    plan = [
        PlannedNode(node_id, node.get("name", node_id), node["type"])
        for node_id, node in definition["nodes"].items()
    ]
    renderer = make_renderer(plan=plan, show_outputs=False)
    events = client.executions.stream(
        execution_id,
        include=["node:skipped", "node:retrying", "node:expanded", "node:log"],
        on_reconnect=renderer.reconnecting,
    )
    with events:
        outcome = show(events, renderer)
    outputs = client.executions.get(execution_id).outputs or {}
    _report(str(outputs.get("report", "")))
    return execution_id, outcome.exit_code


def _report(markdown: str) -> None:
    if not sys.stdout.isatty():
        typer.echo(f"\n{markdown}")
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.padding import Padding

    Console().print(Padding(Markdown(markdown), (1, 2)))


def _explain(base_url: str, execution_id: str, key: str, database: Path) -> None:
    port = base_url.rpartition(":")[2]
    program = _program()
    _say("\nThe stream that you saw is in the log, and can be replayed as often as you like.")
    _say("Start the server for good:\n")
    _say(f"  {program} serve --database {database} --port {port} --nodes {NODES}")
    _say("\nand in another terminal replay the stream:\n")
    _say(f'  curl -N {base_url}/api/v1/executions/{execution_id}/events -H "X-API-Key: {key}"')


@contextmanager
def _server(database: Path, log: Path) -> Iterator[str]:
    """Run a server on a free port, and yield where it listens."""
    command = ["serve", "--port", "0", "--database", str(database), "--nodes", NODES]
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "flowmaestro", *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo; it stops the server itself
        )
    if process.stdout is None:  # for the type checker: it was asked for
        raise RuntimeError("no pipe")
    try:
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise CommandFailed(f"the demo's server did not start: {_last_line(log)} ({log})")
        yield line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _flowmaestro(*arguments: str) -> str:
    """Run a command of our own, and return what it prints."""
    result = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "flowmaestro", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise CommandFailed(result.stderr.strip().removeprefix("error: "))
    return result.stdout.strip()


def _program() -> str:
    """Return how the user can call us: as they did, if it was by a path that works."""
    given = Path(sys.argv[0])
    if given.name != "flowmaestro" or not given.exists():
        return f"{sys.executable} -m flowmaestro"
    try:
        return str(given.relative_to(Path.cwd()))
    except ValueError:
        return str(given)


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"cannot read {path}: it is no UTF-8 text") from error
    if not text.strip():
        raise CommandFailed(f"{path} holds no text")
    return text


def _last_line(log: Path) -> str:
    lines = log.read_text().strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"


def _say(line: str) -> None:
    typer.echo(line)
