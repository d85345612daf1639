"""The page that shows an execution, opened with a link that needs no key."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import typer

if TYPE_CHECKING:
    from flowmaestro.client import FlowMaestroClient

TICKET_SECONDS = 3_600
"""How long the link opens the page: as long as a ticket may."""


def open_page(client: FlowMaestroClient, execution_id: str) -> None:
    """Print the link of an execution's page on standard error, and open it in the browser, if
    there is one."""
    import webbrowser

    ticket = client.executions.create_ticket(execution_id, ttl_seconds=TICKET_SECONDS).ticket
    link = page_link(client.base_url, execution_id, ticket)
    typer.echo(f"Watch it at {link}", err=True)
    webbrowser.open(link)


def page_link(base_url: str, execution_id: str, ticket: str) -> str:
    """Return the link of an execution's page on the server whose API begins at *base_url*.

    The ticket is in the fragment, which a browser sends to nobody: no log has it.
    """
    parts = urlsplit(base_url)
    root = parts.path.removesuffix("/v1").removesuffix("/api")
    path = f"{root}/executions/{quote(execution_id, safe='')}"
    return urlunsplit((parts.scheme, parts.netloc, path, "", f"ticket={ticket}"))
