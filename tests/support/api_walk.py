"""Every operation of the running server, read off its own OpenAPI document, so that a test which
walks them covers a new route without being told of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support.api import greeting
from tests.support.server import LiveServer

DOCUMENTED_PREFIX = "/api/v1"
PREFIXES = ("/api/v1", "/v1")
PUBLIC_PREFIXES = ("", *PREFIXES)
"""Where what needs no key is served."""

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Operation:
    """One method of one path of the document."""

    method: str
    path: str
    """Without its prefix, and with its parameters in braces."""
    security: tuple[Mapping[str, tuple[str, ...]], ...]
    has_body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_public(self) -> bool:
        return not self.security

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a key must have, as the document says it."""
        (found,) = {
            requirement["ApiKey"] for requirement in self.security if "ApiKey" in requirement
        }
        return found

    @property
    def takes_tickets(self) -> bool:
        return any("Ticket" in requirement for requirement in self.security)

    @property
    def parameters(self) -> list[str]:
        """The names of the ids in its path."""
        return _PARAMETER.findall(self.path)

    def targets(self, ids: Mapping[str, str] | None = None) -> list[str]:
        """Return the paths to ask, one for each prefix; ids that are not given are unknown ones."""
        prefixes = PUBLIC_PREFIXES if self.is_public else PREFIXES
        given = {**unknown_ids(self), **(ids or {})}
        return [prefix + self.path.format(**given) for prefix in prefixes]

    def body(self) -> dict[str, Any]:
        """Return what to send besides: a body that the operation would take."""
        if not self.has_body:
            return {}
        stores = self.path.startswith("/workflows") and not self.path.endswith("/execute")
        return {"json": greeting() if stores else {}}


def unknown_ids(operation: Operation) -> dict[str, str]:
    return {name: f"unknown-{name}".replace("_", "-") for name in operation.parameters}


async def operations_of(server: LiveServer) -> list[Operation]:
    """Return every operation that the document of *server* has; the same for each prefix once."""
    async with server.client(None) as client:
        document = (await client.get("/openapi.json")).json()
    found = [
        Operation(
            method=method.upper(),
            path=path.removeprefix(DOCUMENTED_PREFIX),
            security=tuple(
                {scheme: tuple(scopes) for scheme, scopes in requirement.items()}
                for requirement in operation["security"]
            ),
            has_body="requestBody" in operation,
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(found) >= 16, "the document has lost operations"
    return found


def closed(operations: list[Operation]) -> list[Operation]:
    """Return those that need a key or a ticket."""
    return [operation for operation in operations if not operation.is_public]


async def ask(
    client: httpx2.AsyncClient, operation: Operation, target: str, **more: Any
) -> httpx2.Response:
    """Send the request of *operation* to *target* and return its answer."""
    return await client.request(operation.method, target, **{**operation.body(), **more})


def comparable(response: httpx2.Response) -> tuple[int, dict[str, str], bytes]:
    """Return a response without what differs from one to the next whoever asks: its request's id
    and the moment."""
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("date", "x-request-id")
    }
    body = re.sub(rb'"meta":\{[^}]*\}', b'"meta":{}', response.content)
    return response.status_code, headers, body
