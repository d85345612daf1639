"""What commands raise when they cannot do it, and how the SDK's errors are told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from flowmaestro.cli.text import printable

if TYPE_CHECKING:
    from flowmaestro.client import APIError, FlowMaestroClient, FlowMaestroError


NOTED_WAIT_SECONDS = 3.0
"""A client that waits for as long before it tries again says so."""


class CommandFailed(Exception):
    """A command that ends here: each of ``lines`` is told after ``error:``."""

    def __init__(self, *lines: str, exit_code: int = 1) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.exit_code = exit_code


def one_line(text: str) -> str:
    """Return *text* on one line, with nothing in it that a terminal would obey."""
    return printable(" ".join(text.split()))


@contextmanager
def connected() -> Iterator[FlowMaestroClient]:
    """Open the client that the environment describes; its errors become :class:`CommandFailed`."""
    from flowmaestro.client import FlowMaestroClient, FlowMaestroError

    handler = _Waits()
    retries = logging.getLogger("flowmaestro.client.retries")
    retries.addHandler(handler)
    retries.setLevel(logging.INFO)
    try:
        with FlowMaestroClient() as client:
            yield client
    except FlowMaestroError as error:
        raise CommandFailed(*explain(error)) from error
    finally:
        retries.removeHandler(handler)


class _Waits(logging.Handler):
    """Says of a wait that is long enough to be wondered about what is waited for."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.__dict__["delay_seconds"] >= NOTED_WAIT_SECONDS:
            typer.echo(one_line(record.getMessage()), err=True)


def explain(error: FlowMaestroError) -> list[str]:
    """Return what to tell of *error*: a line, or one for each problem, with what to do next."""
    from flowmaestro import client

    match error:
        case client.ConfigurationError() if "No API key" in str(error):
            return [
                "No API key: set FLOWMAESTRO_API_KEY "
                "(make a key with: flowmaestro keys create --name me --bundle full-access)"
            ]
        case client.ConnectionFailed(sent=False):
            return [
                f"{error} (start a server with: flowmaestro serve; "
                "or set FLOWMAESTRO_BASE_URL to where it is)"
            ]
        case client.AuthenticationError():
            return [f"{error.message} Set FLOWMAESTRO_API_KEY to a valid key ({error.code})"]
        case client.InsufficientScope():
            return [f"{error.message} Use a key that has it ({error.code})"]
        case client.ValidationError() if problems := _problems(error.details):
            return problems
        case client.RateLimitExceeded() | client.ServiceUnavailable():
            return [f"{error.message}{_when(error)} ({error.code}, {error.request_id})"]
        case client.APIError() if error.request_id and error.status >= 500:
            return [
                f"{error.message} ({error.code}; the server's log says more: {error.request_id})"
            ]
        case client.APIError():
            return [f"{error.message} ({error.code})"]
        case _:
            return [str(error)]


def _when(error: APIError) -> str:
    """Return when to try again, if that is known and the error does not say so itself."""
    if error.retry_after_seconds is None or "try again" in error.message:
        return ""
    return f" Try again in {error.retry_after_seconds:g} seconds"


def _problems(details: Any) -> list[str]:
    """Return the lines of a definition's problems, if *details* holds them."""
    problems = details.get("problems") if isinstance(details, dict) else None
    if not isinstance(problems, list):
        return []
    return [
        f"{problem.get('path') or 'the definition'}: {problem.get('message')}"
        for problem in problems
        if isinstance(problem, dict)
    ]
