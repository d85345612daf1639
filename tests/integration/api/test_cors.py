from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.api import assert_error
from tests.support.server import LiveServer, live_server

ORIGIN = "https://app.example.com"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path, cors_origins=(ORIGIN,)) as live:
        yield live


def preflight(origin: str, method: str, headers: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }


async def test_a_page_of_a_configured_origin_may_call(client: httpx2.AsyncClient) -> None:
    response = await client.options(
        "/api/v1/workflows/w/execute",
        headers=preflight(ORIGIN, "POST", "x-api-key,content-type,idempotency-key,last-event-id"),
    )
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "X-Request-Id" in response.headers

    actual = await client.get("/v1/workflows", headers={"Origin": ORIGIN})
    assert actual.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "X-Request-Id" in actual.headers["Access-Control-Expose-Headers"]
    assert "X-RateLimit-Remaining" in actual.headers["Access-Control-Expose-Headers"]
    assert "Origin" in actual.headers["Vary"]


@pytest.mark.parametrize(
    "headers",
    [
        preflight("https://evil.example", "GET", "x-api-key"),
        preflight(ORIGIN, "PATCH", "x-api-key"),
        preflight(ORIGIN, "GET", "x-unheard-of"),
    ],
)
async def test_a_preflight_that_is_refused_says_so_in_the_error_shape(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.options("/v1/workflows", headers=headers)
    assert_error(response, "validation_error")


async def test_a_page_of_another_origin_cannot_read_the_answer(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/workflows", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_errors_can_be_read_by_the_page_too(server: LiveServer) -> None:
    async with server.client(None, headers={"Origin": ORIGIN}) as anonymous:
        for response in (
            await anonymous.get("/v1/workflows"),
            await anonymous.get("/nothing"),
            await anonymous.post("/v1/workflows", content=b" " * 3_000_000),
        ):
            assert response.status_code in (401, 404, 413)
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
