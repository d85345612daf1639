"""The commands that need more than the client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flowmaestro.cli.errors import CommandFailed


@contextmanager
def server_extras(command: str) -> Iterator[None]:
    """Import server code inside this: *command* says what to install when that fails.

    Only for imports of what the server extras bring; a module of ours that is missing is a bug and
    stays one.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "flowmaestro":
            raise
        raise CommandFailed(
            f'{command} needs the server extras: pip install "flowmaestro[server]" '
            f"({error.name} is missing)"
        ) from error
