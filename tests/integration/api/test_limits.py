from __future__ import annotations

import time
from pathlib import Path

from tests.support.api import assert_error, create, execute, greeting
from tests.support.server import LiveServer, live_server


async def test_a_key_has_so_many_requests_a_minute(server: LiveServer) -> None:
    key = await server.new_key(rate_limit_per_minute=3, rate_limit_per_day=100)
    async with server.client(key) as client:
        left = []
        for _ in range(3):
            response = await client.get("/v1/workflows")
            assert response.status_code == 200
            assert response.headers["X-RateLimit-Limit"] == "3"
            assert response.headers["X-RateLimit-Limit-Day"] == "100"
            assert 0 <= int(response.headers["X-RateLimit-Reset"]) - time.time() <= 61
            left.append(response.headers["X-RateLimit-Remaining"])
        assert left == ["2", "1", "0"]
        assert response.headers["X-RateLimit-Remaining-Day"] == "97"
        refused = await client.get("/v1/workflows")
        error = assert_error(refused, "rate_limit_exceeded")
        assert error["details"]["window"] == "minute"
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["X-RateLimit-Remaining"] == "0"


async def test_a_key_has_so_many_requests_a_day(server: LiveServer) -> None:
    key = await server.new_key(rate_limit_per_day=1)
    async with server.client(key) as client:
        first = await client.get("/v1/workflows")
        assert first.headers["X-RateLimit-Remaining-Day"] == "0"
        assert "X-RateLimit-Limit" not in first.headers
        refused = await client.get("/v1/workflows")
        assert assert_error(refused, "rate_limit_exceeded")["details"]["window"] == "day"
        assert 60 < int(refused.headers["Retry-After"]) <= 86_400


async def test_errors_count_and_carry_the_headers(server: LiveServer) -> None:
    key = await server.new_key(rate_limit_per_minute=2)
    async with server.client(key) as client:
        missing = await client.get("/v1/workflows/none")
        assert_error(missing, "resource_not_found")
        assert missing.headers["X-RateLimit-Remaining"] == "1"


async def test_an_open_stream_counts_once(server: LiveServer) -> None:
    async with server.client() as client:
        execution_id = await execute(client, await create(client, greeting()), name="Ada")
    key = await server.new_key(rate_limit_per_minute=2)
    async with server.client(key) as client:
        stream = await client.get(f"/v1/executions/{execution_id}/events")
        assert stream.text.count("id: ") > 3
        assert stream.headers["X-RateLimit-Remaining"] == "1"


async def test_zero_is_no_limit_and_one_key_does_not_use_up_another_s(server: LiveServer) -> None:
    limited = await server.new_key(rate_limit_per_minute=1)
    async with server.client(limited) as client:
        await client.get("/v1/workflows")
        assert_error(await client.get("/v1/workflows"), "rate_limit_exceeded")
    async with server.client() as client:
        response = await client.get("/v1/workflows")
        assert response.status_code == 200
        assert not any("ratelimit" in name for name in response.headers)


async def test_the_body_limit_is_a_setting(tmp_path: Path) -> None:
    async with live_server(tmp_path, max_body_bytes=2048) as server, server.client() as client:
        assert (await client.post("/v1/workflows", json=greeting())).status_code == 201
        large = greeting(description="x" * 2048)
        assert_error(await client.post("/v1/workflows", json=large), "payload_too_large")
