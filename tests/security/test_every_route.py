"""Who may use what: every operation of the OpenAPI document, under both prefixes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from flowmaestro.api.keys import SCOPES, generate_key
from tests.support.api import assert_error, create, execute, waiting
from tests.support.api_walk import (
    PREFIXES,
    Operation,
    ask,
    closed,
    operations_of,
)
from tests.support.server import LiveServer, create_key, live_server

PAGE_PATHS = {"/", "/executions/{execution_id}", "/assets/{name}"}
"""What the server has besides its API: the page, which holds nothing of anybody."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path, shutdown_grace_seconds=0) as live:
        yield live


@pytest.fixture
async def operations(server: LiveServer) -> list[Operation]:
    return await operations_of(server)


def _served(server: LiveServer) -> Iterator[tuple[str, str]]:
    """Yield the method and path of all that the running application answers."""
    for route in server.parts.app.routes:
        assert isinstance(route, APIRoute), f"{route} is outside the table of routes"
        for method in route.methods or ():
            yield method, route.path


def _without_prefix(path: str) -> str:
    for prefix in PREFIXES:
        if path.startswith(f"{prefix}/"):
            return path.removeprefix(prefix)
    return path


async def test_everything_that_is_served_is_in_the_document(
    server: LiveServer, operations: list[Operation]
) -> None:
    documented = {(operation.method, operation.path) for operation in operations}
    documented |= {("HEAD", path) for method, path in documented if method == "GET"}
    pages = {(method, path) for method in ("GET", "HEAD") for path in PAGE_PATHS}
    served = set(_served(server))
    assert served - pages
    beyond = {(method, _without_prefix(path)) for method, path in served - pages} - documented
    assert not beyond, "served, and in no document: no test walks them"
    for operation in operations:
        for prefix in PREFIXES:
            assert (operation.method, prefix + operation.path) in served


async def test_only_these_are_open_to_everybody(operations: list[Operation]) -> None:
    assert {str(operation) for operation in operations if operation.is_public} == {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "GET /openapi.json",
        "GET /docs",
    }


async def test_without_a_credential_nothing_else_answers(
    server: LiveServer, operations: list[Operation]
) -> None:
    async with server.client(None) as client:
        for operation in closed(operations):
            for target in operation.targets():
                for method in _methods(operation):
                    response = await client.request(method, target)
                    assert response.status_code == 401, (method, target)
                    assert response.headers["WWW-Authenticate"] == 'Bearer realm="flowmaestro"'
                assert_error(await ask(client, operation, target), "invalid_api_key")


async def test_each_bad_credential_is_refused_everywhere_with_its_code(
    server: LiveServer, operations: list[Operation]
) -> None:
    storage = server.parts.storage
    expired, _ = await create_key(storage, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    revoked, stored = await create_key(storage)
    await storage.keys.revoke(stored.id)
    altered = server.key[:-1] + ("a" if server.key[-1] != "a" else "b")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"X-API-Key": expired}, "expired_api_key"),
        ({"Authorization": f"Bearer {expired}"}, "expired_api_key"),
        ({"X-API-Key": revoked}, "revoked_api_key"),
        ({"Authorization": f"Bearer {revoked}"}, "revoked_api_key"),
    ]
    for bad in (
        *(generate_key("live"), generate_key("test"), altered, server.key.upper()),
        *(server.key[:-1], f"{server.key}x", f"fm_live_{server.key[8:]}", stored.id, stored.prefix),
        *("", "null", "undefined", "*", "' OR '1'='1", "../../etc/passwd", "{{ secrets.A }}"),
    ):
        refused.append(({"X-API-Key": bad}, "invalid_api_key"))
        refused.append(({"Authorization": f"Bearer {bad}".strip()}, "invalid_api_key"))
    refused += [
        ({"Authorization": server.key}, "invalid_api_key"),
        ({"Authorization": f"Basic {server.key}"}, "invalid_api_key"),
        ({"Cookie": f"X-API-Key={server.key}; api_key={server.key}"}, "invalid_api_key"),
        ({"X-API-Key": server.key, "Authorization": f"Bearer {expired}"}, "invalid_api_key"),
    ]
    async with server.client(None) as client:
        for operation in closed(operations):
            for target in operation.targets():
                for headers, code in refused:
                    assert_error(await ask(client, operation, target, headers=headers), code)


async def test_a_key_in_the_address_or_the_body_opens_nothing(
    server: LiveServer, operations: list[Operation]
) -> None:
    async with server.client(None) as client:
        for operation in closed(operations):
            for target in operation.targets():
                for name in ("key", "api_key", "X-API-Key", "token", "access_token", "ticket"):
                    response = await ask(
                        client,
                        operation,
                        target,
                        params={name: server.key},
                        json={name: server.key},
                    )
                    assert_error(response, "invalid_api_key")


async def test_each_scope_that_the_document_names_is_needed(
    server: LiveServer, operations: list[Operation]
) -> None:
    needed: set[str] = set()
    for operation in closed(operations):
        assert operation.scopes
        assert set(operation.scopes) <= set(SCOPES)
        needed |= set(operation.scopes)
        for lacking in operation.scopes:
            key = await server.new_key(scopes=frozenset(SCOPES) - {lacking})
            async with server.client(key) as client:
                for target in operation.targets():
                    for method in _methods(operation):
                        refused = await client.request(method, target)
                        assert refused.status_code == 403, (method, target)
                    refused = await ask(client, operation, target)
                    error = assert_error(refused, "insufficient_scope")
                    assert error["details"]["missing_scopes"] == [lacking]
                    assert error["details"]["required_scopes"] == list(operation.scopes)
                    assert repr(lacking) in error["message"]
                    challenge = refused.headers["WWW-Authenticate"]
                    assert f'scope="{" ".join(operation.scopes)}"' in challenge
    assert needed == set(SCOPES), "a scope that nothing needs"


async def test_the_scopes_that_the_document_names_are_enough(
    server: LiveServer, operations: list[Operation]
) -> None:
    for operation in closed(operations):
        key = await server.new_key(scopes=frozenset(operation.scopes))
        async with server.client(key) as client:
            for target in operation.targets():
                response = await ask(client, operation, target)
                expected = (404,) if operation.parameters else (200, 201)
                assert response.status_code in expected, (str(operation), response.text)


async def test_a_key_with_no_scope_can_do_nothing(
    server: LiveServer, operations: list[Operation]
) -> None:
    key = await server.new_key(scopes=frozenset())
    async with server.client(key) as client:
        for operation in closed(operations):
            for target in operation.targets():
                assert_error(await ask(client, operation, target), "insufficient_scope")


async def test_a_ticket_opens_the_events_of_its_execution_and_nothing_else(
    server: LiveServer, operations: list[Operation]
) -> None:
    async with server.client() as client:
        workflow_id = await create(client, waiting(1))
        mine, other = await execute(client, workflow_id), await execute(client, workflow_id)
        answer = await client.post(f"/v1/executions/{mine}/tickets")
        ticket = answer.json()["data"]["ticket"]
    opened = 0
    async with server.client(None) as client:
        for operation in closed(operations):
            for target in operation.targets({"workflow_id": workflow_id, "execution_id": mine}):
                response = await ask(client, operation, target, params={"ticket": ticket})
                if operation.takes_tickets:
                    opened += 1
                    assert response.status_code == 200
                    assert mine in response.text
                else:
                    assert_error(response, "invalid_api_key")
                for headers in (
                    {"X-API-Key": ticket},
                    {"Authorization": f"Bearer {ticket}"},
                    {"Cookie": f"ticket={ticket}"},
                ):
                    assert_error(
                        await ask(client, operation, target, headers=headers), "invalid_api_key"
                    )
            for target in operation.targets({"workflow_id": workflow_id, "execution_id": other}):
                response = await ask(client, operation, target, params={"ticket": ticket})
                assert_error(response, "invalid_api_key")
    assert opened == len(PREFIXES)


def _methods(operation: Operation) -> list[str]:
    return ["GET", "HEAD"] if operation.method == "GET" else [operation.method]
