"""The ``http`` node against a real server that behaves, and one that does not."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import zlib
from typing import Any

import pytest
from pydantic import ValidationError

from flowmaestro.nodes import NodeError, Services
from flowmaestro.nodes.builtin.http import HttpConfig, make_http
from flowmaestro.nodes.testing import run_node
from tests.support.http_server import (
    ReceivedRequest,
    hang,
    http_server,
    json_response,
    response,
)


async def fetch(services: Services, url: str, **config: Any) -> dict[str, Any]:
    result = await run_node(make_http(services), {"url": url, **config})
    assert isinstance(result, dict)
    return result


async def failure(services: Services, url: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await fetch(services, url, **config)
    return caught.value


async def test_a_json_response_is_parsed(services: Services) -> None:
    async with http_server(json_response({"a": [1, 2.5, None]})) as server:
        outputs = await fetch(services, server.url)
    assert outputs["status"] == 200
    assert outputs["body"] == {"a": [1, 2.5, None]}
    assert outputs["headers"]["content-type"] == "application/json"
    assert json.loads(json.dumps(outputs)) == outputs


async def test_the_request_is_sent_as_configured(services: Services) -> None:
    async with http_server(response(204)) as server:
        outputs = await fetch(
            services,
            f"{server.url}/items?page=1",
            method="post",
            headers={"X-Token": "t", "X-Count": 3},
            query={"tag": ["a", "b&c"], "deep": True},
            body={"name": "Ümit"},
        )
    (request,) = server.requests
    assert request.method == "POST"
    assert request.target == "/items?page=1&tag=a&tag=b%26c&deep=true"
    assert request.headers["x-token"] == "t"
    assert request.headers["x-count"] == "3"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "flowmaestro"
    assert request.json() == {"name": "Ümit"}
    assert outputs == {"status": 204, "headers": outputs["headers"], "body": None}


async def test_a_text_body_is_sent_as_it_is_and_null_is_none(services: Services) -> None:
    async with http_server(response(200)) as server:
        await fetch(services, server.url, method="PUT", body="a=1", headers={"Content-Type": "x/y"})
        await fetch(services, server.url, method="GET", body=None)
        await fetch(services, server.url, method="POST", body=[])
    assert [request.body for request in server.requests] == [b"a=1", b"", b"[]"]
    assert server.requests[0].headers["content-type"] == "x/y"
    assert "content-type" not in server.requests[1].headers


@pytest.mark.parametrize(
    ("content_type", "content", "body"),
    [
        ("text/plain", "grün".encode(), "grün"),
        ("text/html; charset=iso-8859-1", "grün".encode("latin-1"), "grün"),
        ("text/plain; charset=punycode", b"abc", "abc"),
        ("text/plain; charset=utf-8", b"a\xffb", "a\ufffdb"),
        ("application/problem+json", b'{"a":1}', {"a": 1}),
        ("application/xml", b"<a/>", "<a/>"),
        (None, b"plain", "plain"),
        ("application/octet-stream", b"readable", "readable"),
    ],
)
async def test_text_is_decoded(
    services: Services, content_type: str | None, content: bytes, body: Any
) -> None:
    async with http_server(response(200, content, content_type=content_type)) as server:
        assert (await fetch(services, server.url))["body"] == body


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", None])
async def test_binary_is_given_as_base64(services: Services, content_type: str | None) -> None:
    content = bytes(range(256))
    async with http_server(response(200, content, content_type=content_type)) as server:
        outputs = await fetch(services, server.url)
    assert outputs["body"] is None
    assert base64.b64decode(outputs["body_base64"]) == content


@pytest.mark.parametrize("content", [b"{", b"NaN", b"[" * 100_000, b'"\\ud800"', b"\xff"])
async def test_json_that_does_not_parse_is_a_clear_error(
    services: Services, content: bytes
) -> None:
    answer = response(200, content, content_type="application/json")
    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert error.code == "http_invalid_response"
    assert "JSON response that does not parse" in error.message


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (429, True), (500, True), (503, True)],
)
async def test_an_error_status_fails_the_node(
    services: Services, status: int, retryable: bool
) -> None:
    async with http_server(response(status, "went\n  wrong" + "!" * 999)) as server:
        error = await failure(services, f"{server.url}/a?token=secret")
    assert (error.code, error.retryable) == ("http_status", retryable)
    assert f"status {status}: went wrong!!!" in error.message
    assert len(error.message) < 300
    assert "secret" not in error.message


async def test_an_error_status_may_be_an_answer(services: Services) -> None:
    async with http_server(json_response({"error": "none"}, 404)) as server:
        outputs = await fetch(services, server.url, fail_on_status=False)
    assert (outputs["status"], outputs["body"]) == (404, {"error": "none"})


async def redirecting(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    steps = {"/start": "/middle", "/middle": "end", "/around": "/around", "/out": "ftp://x/y"}
    if request.path in steps:
        writer.write(response(302, "x" * 100, headers={"Location": steps[request.path]}))
    else:
        writer.write(response(200, request.path))


async def test_redirects_are_followed(services: Services) -> None:
    async with http_server(redirecting) as server:
        outputs = await fetch(services, f"{server.url}/start", method="POST", body="x")
    assert outputs["body"] == "/end"
    assert [request.method for request in server.requests] == ["POST", "GET", "GET"]


async def test_redirects_are_an_answer_when_they_are_not_to_be_followed(services: Services) -> None:
    async with http_server(redirecting) as server:
        outputs = await fetch(services, f"{server.url}/start", follow_redirects=False)
    assert outputs["status"] == 302
    assert outputs["headers"]["location"] == "/middle"


async def test_redirects_without_end_are_cut(services: Services) -> None:
    async with http_server(redirecting) as server:
        error = await failure(services, f"{server.url}/around")
    assert (error.code, error.retryable) == ("too_many_redirects", False)
    assert len(server.requests) == 6


async def test_redirects_to_another_scheme_are_refused(services: Services) -> None:
    async with http_server(redirecting) as server:
        error = await failure(services, f"{server.url}/out")
    assert error.code == "http_invalid_response"


async def test_no_key_in_a_header_follows_a_redirect_to_another_origin(services: Services) -> None:
    keys = {"Authorization": "Bearer k", "X-Api-Key": "k", "Cookie": "k=1", "Accept": "text/plain"}
    async with http_server(response(200, "end")) as other:
        away = response(307, headers={"Location": other.url})
        async with http_server(away) as server:
            await fetch(services, server.url, headers=keys, method="POST", body="x")
    first, second = server.requests[0], other.requests[0]
    assert {"authorization", "x-api-key", "cookie"} <= set(first.headers)
    assert {"authorization", "x-api-key", "cookie"}.isdisjoint(second.headers)
    assert second.headers["accept"] == "text/plain"
    assert second.body == b"x"


async def test_a_redirect_whose_body_never_ends_is_not_waited_for(services: Services) -> None:
    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if request.path == "/":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 999999\r\n\r\nx")
            await hang(request, writer)
        writer.write(response(200, "end"))

    async with http_server(answer) as server:
        assert (await fetch(services, server.url))["body"] == "end"


async def test_cookies_are_not_kept_between_requests(services: Services) -> None:
    async with http_server(response(200, headers={"Set-Cookie": "session=1"})) as server:
        await fetch(services, server.url)
        await fetch(services, server.url)
    assert all("cookie" not in request.headers for request in server.requests)


async def test_a_server_that_does_not_answer_is_left_in_time(services: Services) -> None:
    async with http_server(hang) as server:
        error = await failure(services, server.url, timeout_ms=50)
        await server.left.wait()
    assert (error.code, error.retryable) == ("http_timeout", True)
    assert error.message.endswith("did not answer within 50 ms")


async def test_the_timeout_bounds_the_whole_request_however_lively(services: Services) -> None:
    async def drip(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.005)

    async with http_server(drip) as server:
        error = await failure(services, server.url, timeout_ms=100)
    assert error.code == "http_timeout"


async def test_cancelling_closes_the_connection(services: Services) -> None:
    async with http_server(hang) as server:
        fetching = asyncio.ensure_future(fetch(services, server.url))
        await server.arrived.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await server.left.wait()


async def endless(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def test_a_response_that_is_too_large_is_cut(services: Services) -> None:
    async with http_server(endless) as server:
        error = await failure(services, server.url)
        await server.left.wait()
    assert (error.code, error.retryable) == ("http_response_too_large", False)
    assert "larger than 524288 bytes" in error.message


async def test_the_limit_is_inclusive(services: Services) -> None:
    async with http_server(response(200, "x" * 10)) as server:
        assert (await fetch(services, server.url, max_response_bytes=10))["body"] == "x" * 10
        error = await failure(services, server.url, max_response_bytes=9)
    assert error.code == "http_response_too_large"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_responses_are_decoded(services: Services, coding: str) -> None:
    packed = gzip.compress(b"hello") if coding == "gzip" else zlib.compress(b"hello")
    answer = response(200, packed, content_type="text/plain", headers={"Content-Encoding": coding})
    async with http_server(answer) as server:
        assert (await fetch(services, server.url))["body"] == "hello"
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


async def test_a_decompression_bomb_is_cut_by_its_decoded_size(services: Services) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    async with http_server(response(200, bomb, headers={"Content-Encoding": "gzip"})) as server:
        error = await failure(services, server.url)
    assert error.code == "http_response_too_large"


async def test_nested_compression_is_refused(services: Services) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 1_000_000))
    answer = response(200, bomb, headers={"Content-Encoding": "gzip, gzip"})
    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert error.code == "http_invalid_response"


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        response(200, b"no gzip", headers={"Content-Encoding": "gzip"}),
        response(302, headers={"Location": "http://[::1"}),
    ],
)
async def test_something_that_is_no_http_is_a_clear_error(
    services: Services, answer: bytes
) -> None:
    async with http_server(answer) as server:
        error = await failure(services, server.url, timeout_ms=5_000)
        assert error.code == "http_invalid_response"
        assert server.url in error.message


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_a_connection_that_ends_early_is_a_clear_error(
    services: Services, sent: bytes
) -> None:
    async def break_off(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.close()

    async with http_server(break_off) as server:
        error = await failure(services, server.url)
    assert (error.code, error.retryable) == ("http_connection_lost", True)


async def test_a_reset_connection_is_a_clear_error(services: Services) -> None:
    async def reset(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with http_server(reset) as server:
        error = await failure(services, server.url)
    assert (error.code, error.retryable) == ("http_connection_lost", True)


async def test_a_refused_connection_is_a_clear_error(services: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can listen there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = await failure(services, url)
    assert (error.code, error.retryable) == ("http_unreachable", True)
    assert error.message.startswith(f"{url} cannot be reached")


async def test_a_host_that_does_not_exist_is_a_clear_error(services: Services) -> None:
    error = await failure(services, "http://no-such-host.invalid/", timeout_ms=20_000)
    assert (error.code, error.retryable) == ("http_dns", True)
    assert "no-such-host.invalid" in error.message


async def test_a_server_without_tls_is_a_clear_error(services: Services) -> None:
    async with await asyncio.start_server(_answer_plainly, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(services, f"https://127.0.0.1:{port}/")
    assert (error.code, error.retryable) == ("http_tls", True)
    assert f"no secure connection to https://127.0.0.1:{port}" in error.message


async def _answer_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("url", ["ftp://h/x", "file:///etc/passwd", "//h/x", "x", "", 5, None])
def test_only_absolute_http_urls_are_accepted(url: Any) -> None:
    with pytest.raises(ValidationError):
        HttpConfig.model_validate({"url": url})


@pytest.mark.parametrize(
    "url", ["http://", "http:///x", "http://[::1", "http://h:99999/", "http://h:0x/", "http://h/\n"]
)
async def test_urls_that_lead_nowhere_fail_for_good(services: Services, url: str) -> None:
    error = await failure(services, url)
    assert (error.code, error.retryable) == ("invalid_url", False)


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nHost: evil"}, {"X Y": "a"}, {"X": "ü"}, {"X": "\x00"}, {"": "a"}]
)
async def test_headers_that_cannot_be_sent_fail_for_good(
    services: Services, headers: dict[str, str]
) -> None:
    async with http_server(response(200)) as server:
        error = await failure(services, server.url, headers=headers)
    assert (error.code, error.retryable) == ("invalid_request", False)
    assert server.requests == []


async def test_requests_do_not_wait_for_each_other(services: Services) -> None:
    arrived = asyncio.Semaphore(0)
    answer_now = asyncio.Event()

    async def meet(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await answer_now.wait()
        writer.write(response(200, "ok"))

    async with http_server(meet) as server:
        fetching = [asyncio.ensure_future(fetch(services, server.url)) for _ in range(20)]
        for _ in fetching:
            await arrived.acquire()
        answer_now.set()
        assert [outputs["body"] for outputs in await asyncio.gather(*fetching)] == ["ok"] * 20


async def test_services_that_were_closed_can_be_used_again(services: Services) -> None:
    async with http_server(response(200, "ok")) as server:
        for _ in range(2):
            outputs = await fetch(services, f"http://localhost:{server.port}")
            assert outputs["body"] == "ok"
            await services.aclose()


async def test_services_can_be_closed_unused_and_twice() -> None:
    services = Services()
    await services.aclose()
    await services.aclose()
