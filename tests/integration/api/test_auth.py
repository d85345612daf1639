from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from flowmaestro.api.keys import BUNDLES, SCOPES, generate_key
from tests.support.api import assert_error, create, execute, greeting, waiting
from tests.support.server import LiveServer, create_key


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "fm_live_short"},
        {"X-API-Key": "fm_live_" + "a" * 43 + "\xe9"},
        {"X-API-Key": generate_key("live")},
        {"X-API-Key": "' OR 1=1 --"},
        {"X-API-Key": "x" * 10_000},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer " + generate_key("test")},
        {"Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
async def test_a_missing_malformed_or_unknown_key_is_invalid(
    server: LiveServer, headers: dict[str, str]
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    async with httpx2.AsyncClient(base_url=server.base_url, trust_env=False) as client:
        response = await client.get("/api/v1/workflows", headers=raw)
    assert_error(response, "invalid_api_key")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_the_same_key_works_in_either_header_and_in_both(server: LiveServer) -> None:
    bearer = f"Bearer {server.key}"
    async with server.client(None) as client:
        for headers in (
            {"X-API-Key": server.key},
            {"Authorization": bearer},
            {"Authorization": f"bearer   {server.key}"},
            {"X-API-Key": server.key, "Authorization": bearer},
        ):
            response = await client.get("/v1/workflows", headers=headers)
            assert response.status_code == 200


async def test_two_different_keys_are_refused(server: LiveServer) -> None:
    other = await server.new_key()
    async with server.client() as client:
        response = await client.get("/v1/workflows", headers={"Authorization": f"Bearer {other}"})
    assert "two different" in assert_error(response, "invalid_api_key")["message"]


async def test_an_expired_key_says_so(server: LiveServer) -> None:
    key = await server.new_key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    async with server.client(key) as client:
        response = await client.get("/v1/workflows")
    assert_error(response, "expired_api_key")
    assert "WWW-Authenticate" in response.headers


async def test_a_key_that_is_revoked_stops_working_at_once(server: LiveServer) -> None:
    key, stored = await create_key(server.parts.storage)
    async with server.client(key) as client:
        assert (await client.get("/v1/workflows")).status_code == 200
        await server.parts.storage.keys.revoke(stored.id)
        assert_error(await client.get("/v1/workflows"), "revoked_api_key")


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/workflows", ["workflows:read"]),
        ("GET", "/workflows/wf_x", ["workflows:read"]),
        ("POST", "/workflows", ["workflows:write"]),
        ("PUT", "/workflows/wf_x", ["workflows:write"]),
        ("DELETE", "/workflows/wf_x", ["workflows:write"]),
        ("POST", "/workflows/wf_x/execute", ["workflows:read", "workflows:execute"]),
        ("GET", "/executions", ["executions:read"]),
        ("GET", "/executions/exec_x", ["executions:read"]),
        ("GET", "/executions/exec_x/events", ["executions:read"]),
        ("POST", "/executions/exec_x/cancel", ["executions:read", "executions:cancel"]),
        ("POST", "/executions/exec_x/tickets", ["executions:read"]),
    ],
)
async def test_every_route_needs_its_scopes_and_names_the_one_that_is_missing(
    server: LiveServer, method: str, path: str, needed: list[str]
) -> None:
    for missing in needed:
        key = await server.new_key(scopes=frozenset(SCOPES) - {missing})
        async with server.client(key) as client:
            error = assert_error(
                await client.request(method, f"/api/v1{path}"), "insufficient_scope"
            )
        assert missing in error["message"]
        assert error["details"]["missing_scope"] == missing
        assert error["details"]["required_scopes"] == needed
    key = await server.new_key(scopes=frozenset(needed))
    async with server.client(key) as client:
        response = await client.request(method, f"/api/v1{path}", json={})
        assert response.status_code not in (401, 403)


async def test_a_read_only_key_reads_and_nothing_else(server: LiveServer) -> None:
    key = await server.new_key(scopes=BUNDLES["read-only"])
    async with server.client(key) as client:
        assert (await client.get("/v1/executions")).status_code == 200
        assert_error(await client.post("/v1/workflows", json=greeting()), "insufficient_scope")


async def test_another_workspace_is_as_if_it_were_not_there(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    workflow_id = await create(client, waiting())
    execution_id = await execute(client, workflow_id)
    stranger = await server.new_key(workspace="other")
    async with server.client(stranger) as other:
        for method, path in (
            ("GET", f"/workflows/{workflow_id}"),
            ("PUT", f"/workflows/{workflow_id}"),
            ("DELETE", f"/workflows/{workflow_id}"),
            ("POST", f"/workflows/{workflow_id}/execute"),
            ("GET", f"/executions/{execution_id}"),
            ("GET", f"/executions/{execution_id}/events"),
            ("POST", f"/executions/{execution_id}/cancel"),
            ("POST", f"/executions/{execution_id}/tickets"),
        ):
            body = greeting() if method == "PUT" else {}
            mine = await other.request(method, f"/v1{path}", json=body)
            unknown_path = path.replace(workflow_id, "wf_none").replace(execution_id, "exec_none")
            unknown = await other.request(method, f"/v1{unknown_path}", json=body)
            error = assert_error(mine, "resource_not_found")
            named = assert_error(unknown, "resource_not_found")["message"]
            for known, none in ((workflow_id, "wf_none"), (execution_id, "exec_none")):
                error["message"] = error["message"].replace(known, none)
            assert error["message"] == named
        assert (await other.get("/v1/workflows")).json()["data"] == []
        assert (await other.get("/v1/executions")).json()["data"] == []
    assert (await client.get(f"/v1/executions/{execution_id}")).json()["data"]["status"] in (
        "pending",
        "running",
    )
