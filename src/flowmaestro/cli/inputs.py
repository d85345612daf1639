"""The inputs of an execution, as they are written on a command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flowmaestro.cli.errors import CommandFailed

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME=VALUE",
        help="An input; the value is JSON if it reads as JSON, else text. "
        "NAME=@FILE takes the text of a file. Repeat it for more.",
    ),
]
InputsFile = Annotated[
    Path | None,
    typer.Option(
        "--inputs-file", metavar="FILE", help="A JSON object of inputs; - is standard input."
    ),
]


def parse_inputs(pairs: Sequence[str] | None, inputs_file: Path | None = None) -> dict[str, Any]:
    """Return the inputs that *pairs* (``NAME=VALUE``) give over those of *inputs_file*.

    A value is JSON if it reads as JSON, else text; ``@FILE`` is the text of a file, and
    ``"@FILE"`` in quotes that text itself. A name given twice has its last value.

    Raises:
        CommandFailed: a pair has no name or no ``=``, or a file cannot be read.
    """
    inputs = {} if inputs_file is None else _read_object(inputs_file)
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise CommandFailed(f"--input {pair!r} is not NAME=VALUE", exit_code=2)
        inputs[name] = _read_text(Path(value[1:])) if value.startswith("@") else _value(value)
    return inputs


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")  # Python would read NaN and Infinity


def _read_object(path: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(path) == "-" else _read_text(path)
    try:
        inputs = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{path} is no JSON: {error}") from error
    if not isinstance(inputs, dict):
        raise CommandFailed(f"{path} holds no JSON object of inputs by name")
    return inputs


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CommandFailed(f"cannot read {path}: it is no UTF-8 text") from error
