"""What every response says to browsers and caches, and which pages may read it: each operation of
the OpenAPI document, answers and errors alike."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from flowmaestro.api.security_headers import SECURITY_HEADERS
from tests.support.api import create, execute, greeting, waiting
from tests.support.api_walk import ask, operations_of
from tests.support.raw_http import open_connection
from tests.support.server import LiveServer, live_server

APP = "https://app.example.com"
OTHERS = (
    "https://evil.example.com",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "https://app.example.com:8443",
    "https://sub.app.example.com",
    "http://app.example.com",
    "https://APP.example.com",
    "https://app.example.com/",
    "https://app.example.com%00.evil.example",
    "https://app_example.com",
    "file://",
    "null",
    "*",
    "",
)
"""Origins that are nearly the one that is allowed."""

NOT_KEPT = re.compile(r"(^|[ ,])no-(store|cache)([ ,]|$)")


@asynccontextmanager
async def every_answer(
    server: LiveServer, **headers: str
) -> AsyncIterator[AsyncIterator[tuple[str, httpx2.Response]]]:
    """Iterate over an answer and several errors of each operation, and of what is no operation."""
    async with (
        server.client(None, headers=headers) as anonymous,
        server.client(headers=headers) as client,
    ):

        async def answers() -> AsyncIterator[tuple[str, httpx2.Response]]:
            for operation in await operations_of(server):
                workflow_id = await create(client, waiting(1))
                execution_id = await execute(client, workflow_id)
                ids = {"workflow_id": workflow_id, "execution_id": execution_id}
                for target in operation.targets(ids):
                    if operation.path != "/executions":  # and of what it does not have
                        yield f"PATCH {target}", await client.patch(target)
                    yield f"{operation} anonymous", await ask(anonymous, operation, target)
                    if operation.method == "GET":
                        yield f"HEAD {target}", await client.head(target)
                    yield str(operation), await ask(client, operation, target)
                for target in operation.targets():
                    yield f"{operation} unknown", await ask(client, operation, target)
            for path in ("/", "/executions/exec_1", "/assets/none.js", "/nothing", "/v1/nothing"):
                yield path, await client.get(path)
            yield "OPTIONS", await client.options("/v1/workflows")
            large = await client.post("/v1/workflows", content=b" " * 3_000_000)
            assert large.status_code == 413
            yield "413", large

        yield answers()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path, cors_origins=(APP,)) as live:
        yield live


async def test_nothing_private_is_kept_sniffed_embedded_or_told_of(server: LiveServer) -> None:
    count = 0
    async with every_answer(server) as answers:
        async for name, response in answers:
            headers = response.headers
            for header in SECURITY_HEADERS:
                assert len(headers.get_list(header)) == 1, (name, header)
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert NOT_KEPT.search(headers["Cache-Control"]), name
            assert "Set-Cookie" not in headers
            assert "Server" not in headers
            if headers.get("Content-Type", "").startswith("text/html"):
                assert "default-src 'none'" in headers["Content-Security-Policy"]
                assert "'unsafe-eval'" not in headers["Content-Security-Policy"]
                assert "script-src 'unsafe-inline'" not in headers["Content-Security-Policy"]
            count += 1
    assert count > 150


async def test_what_is_no_request_is_answered_with_the_same_headers(server: LiveServer) -> None:
    connection = await open_connection(int(server.base_url.rpartition(":")[2]))
    connection.write(b"nonsense\r\n\r\n")
    answer = (await connection.read(65536)).decode().lower()
    for name, value in SECURITY_HEADERS.items():
        assert f"\r\n{name.lower()}: {value.lower()}\r\n" in answer
    await connection.close()


async def test_a_page_of_the_allowed_origin_may_read_every_answer(server: LiveServer) -> None:
    async with every_answer(server, Origin=APP) as answers:
        async for name, response in answers:
            assert response.headers.get_list("Access-Control-Allow-Origin") == [APP], name
            assert "Origin" in response.headers["Vary"], name
            assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("origin", OTHERS)
async def test_no_other_page_may_read_anything(server: LiveServer, origin: str) -> None:
    async with server.client(headers={"Origin": origin}) as client:
        for operation in await operations_of(server):
            for target in operation.targets():
                response = await ask(client, operation, target)
                assert not any(name.startswith("access-control") for name in response.headers)
                preflight = await client.options(
                    target,
                    headers={
                        "Access-Control-Request-Method": operation.method,
                        "Access-Control-Request-Headers": "x-api-key",
                    },
                )
                assert preflight.status_code == 400
                assert "Access-Control-Allow-Origin" not in preflight.headers
                assert len(origin) < 5 or origin not in preflight.text


async def test_any_origin_is_never_any_page_s_credentials(tmp_path: Path) -> None:
    headers = {"Origin": APP, "Cookie": "a=b"}
    any_origin = {"cors_origins": ("*",)}
    async with live_server(tmp_path, **any_origin) as server, server.client(headers=headers) as who:
        for operation in await operations_of(server):
            for target in operation.targets():
                response = await ask(who, operation, target)
                assert response.headers["Access-Control-Allow-Origin"] == "*"
                assert "Access-Control-Allow-Credentials" not in response.headers


async def test_by_default_no_page_may_read_anything(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client(headers={"Origin": APP}) as client:
        for operation in await operations_of(server):
            for target in operation.targets():
                response = await ask(client, operation, target)
                assert not any(name.startswith("access-control") for name in response.headers)


HOSTS = (
    *("evil.example", "evil.example:80", "evil.example/a?b#c", "[::1", "a b", "", "é"),
    *("x\\@evil.example", "http://evil.example", "127.0.0.1:8000@evil.example"),
)


@pytest.mark.parametrize("host", HOSTS)
async def test_the_host_that_a_request_names_is_in_no_answer(server: LiveServer, host: str) -> None:
    async with server.client() as client:
        workflow_id = await create(client, greeting())
        execution_id = await execute(client, workflow_id, name="Ada")
        forged = [
            (b"Host", host.encode()),
            (b"X-Forwarded-Host", b"evil.example"),
            (b"X-Forwarded-Proto", b"https"),
            (b"Forwarded", b"host=evil.example;proto=https"),
            (b"X-Original-URL", b"/v1/evil.example"),
        ]
        for method, path, key in (
            ("POST", f"/v1/workflows/{workflow_id}/execute", "events_url"),
            ("POST", f"/v1/executions/{execution_id}/tickets", "events_url"),
            ("GET", "/v1/nothing", None),
            ("PATCH", "/v1/workflows", None),
            ("GET", "/v1/workflows/unknown", None),
            ("GET", "/openapi.json", None),
            ("GET", "/docs", None),
        ):
            body = {"inputs": {"name": "Ada"}} if path.endswith("execute") else {}
            answer = await client.request(method, path, headers=forged, json=body)
            assert answer.status_code != 500
            assert "evil" not in answer.text
            assert not any("evil" in value for value in answer.headers.values())
            if key is not None:
                assert answer.json()["data"][key].startswith("/v1/executions/exec_")
