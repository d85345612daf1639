"""The ``http`` node against servers that mean harm: what is endless ends, what is huge is cut."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterable
from typing import Any

import pytest

from flowmaestro.nodes import NodeError, Services
from flowmaestro.nodes.builtin.http import make_http
from flowmaestro.nodes.testing import RecordingContext, run_node
from tests.support.http_server import Handler, ReceivedRequest, http_server, response

EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
"""A block of a compressed stream (RFC 1951) that stands for nothing."""
ZLIB_HEADER = zlib.compress(b"")[:2]


async def fetch(services: Services, url: str, **config: Any) -> dict[str, Any]:
    result = await run_node(make_http(services), {"url": url, **config})
    assert isinstance(result, dict)
    return result


async def failure(services: Services, url: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await fetch(services, url, **config)
    return caught.value


def chunked(pieces: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def head(*lines: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode()


def endless(first: bytes, then: bytes) -> Handler:
    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(then)
            await writer.drain()

    return answer


@pytest.mark.parametrize(
    ("coding", "first", "then"),
    [
        ("gzip", gzip.compress(b"{}"), b"\0" * 65_536),
        ("gzip", gzip.compress(b"{}"), gzip.compress(b"") * 1_000),
        ("deflate", zlib.compress(b"{}"), b"\0" * 65_536),
        ("deflate", ZLIB_HEADER, EMPTY_BLOCK * 10_000),
        ("gzip", gzip.compress(b"")[:10], EMPTY_BLOCK * 10_000),
    ],
    ids=["after gzip", "empty members", "after deflate", "empty blocks", "empty gzip blocks"],
)
async def test_a_compressed_body_that_stands_for_nothing_is_cut(
    services: Services, coding: str, first: bytes, then: bytes
) -> None:
    begin = head(f"Content-Encoding: {coding}", "Connection: close") + first
    async with http_server(endless(begin, then)) as server:
        error = await failure(services, server.url)
        await server.left.wait()
    assert (error.code, error.retryable) == ("http_response_too_large", False)


async def test_what_follows_a_compressed_body_is_no_part_of_it(services: Services) -> None:
    body = gzip.compress(b"hello") + b"garbage"
    answer = response(200, body, content_type="text/plain", headers={"Content-Encoding": "gzip"})
    async with http_server(answer) as server:
        assert (await fetch(services, server.url))["body"] == "hello"


def _raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"hello" * 999)),
        ("x-gzip", gzip.compress(b"hello" * 999)),
        ("GZIP", gzip.compress(b"hello" * 999)),
        ("deflate", zlib.compress(b"hello" * 999)),
        ("deflate", _raw_deflate(b"hello" * 999)),
    ],
    ids=["gzip", "x-gzip", "GZIP", "deflate", "raw deflate"],
)
async def test_a_compressed_body_may_come_in_any_pieces(
    services: Services, coding: str, packed: bytes
) -> None:
    answer = head(f"Content-Encoding: {coding}", "Transfer-Encoding: chunked")
    answer += chunked(packed[at : at + 1] for at in range(len(packed)))
    async with http_server(answer) as server:
        assert (await fetch(services, server.url))["body"] == "hello" * 999


@pytest.mark.parametrize("kept", [1, 5, 15, -1])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_that_ends_early_is_a_clear_error(
    services: Services, coding: str, kept: int
) -> None:
    packed = gzip.compress(b"hello") if coding == "gzip" else zlib.compress(b"hello" * 9)
    answer = response(200, packed[:kept], headers={"Content-Encoding": coding})
    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert (error.code, error.retryable) == ("http_invalid_response", True)
    assert "its compressed body cannot be read: it ends early" in error.message


async def test_a_head_without_body_needs_none_compressed(services: Services) -> None:
    answer = response(200, headers={"Content-Encoding": "gzip"})
    async with http_server(answer) as server:
        outputs = await fetch(services, server.url, method="HEAD")
    assert outputs["body"] is None


async def test_a_coding_that_was_not_asked_for_is_given_as_it_is(services: Services) -> None:
    answer = response(200, b"\x00\x01br", headers={"Content-Encoding": "br"})
    async with http_server(answer) as server:
        outputs = await fetch(services, server.url)
    assert outputs["headers"]["content-encoding"] == "br"
    assert outputs["body_base64"] == "AAFicg=="


@pytest.mark.parametrize(
    "answer",
    [
        head(*(f"X-{number}: y" for number in range(100_000)), "Content-Length: 0"),
        head("X: " + "y" * 10_000_000, "Content-Length: 0"),
        b"HTTP/1.1 200 " + b"y" * 1_000_000 + b"\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"1;" + b"x=y;" * 100_000 + b"\r\nx\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        head("Transfer-Encoding: chunked") + b"f" * 100_000 + b"\r\n",
    ],
    ids=["headers", "header", "reason", "chunk extension", "trailers", "chunk size"],
)
async def test_a_flood_before_or_after_the_body_is_cut(services: Services, answer: bytes) -> None:
    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert error.code == "http_invalid_response"
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"y" * 1_000),
        (head("Transfer-Encoding: chunked"), b"1;" + b"x" * 1_000),
    ],
    ids=["headers", "header", "chunk extension"],
)
async def test_a_flood_without_end_is_cut(services: Services, first: bytes, then: bytes) -> None:
    async with http_server(endless(first, then)) as server:
        error = await failure(services, server.url)
        await server.left.wait()
    assert error.code == "http_invalid_response"


async def test_interim_responses_without_end_are_left_in_time(services: Services) -> None:
    async with http_server(endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")) as server:
        error = await failure(services, server.url, timeout_ms=300)
        await server.left.wait()
    assert error.code == "http_timeout"


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", head("Content-Length: 100000")])
async def test_bytes_that_drip_are_left_in_time(services: Services, begin: bytes) -> None:
    async def drip(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        for byte in begin + b"y" * 100_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.002)

    async with http_server(drip) as server:
        error = await failure(services, server.url, timeout_ms=300)
        await server.left.wait()
    assert (error.code, error.retryable) == ("http_timeout", True)


async def test_a_body_in_chunks_of_one_byte_leaves_others_their_turn(services: Services) -> None:
    size = 20_000
    answer = head("Transfer-Encoding: chunked") + chunked(b"x" for _ in range(size))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def send(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        nonlocal turns
        writer.write(answer)
        turns = 0  # the whole of it is on its way: no turn is one of waiting

    async with http_server(send) as server:
        await fetch(services, server.url)
        counting = asyncio.ensure_future(count_turns())
        outputs = await fetch(services, server.url)
        counting.cancel()
    assert outputs["body"] == "x" * size
    assert turns >= size // 256


@pytest.mark.parametrize(
    "lengths",
    [
        ["Content-Length: 2", "Content-Length: 3"],
        ["Content-Length: 2, 3"],
        ["Content-Length: +2"],
        ["Content-Length: 0x2"],
        ["Content-Length: 99999999999999999999999999"],
        ["Content-Length: " + "9" * 5_000],
    ],
)
async def test_lengths_that_cannot_be_are_clear_errors(
    services: Services, lengths: list[str]
) -> None:
    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(head(*lengths) + b"ok")
        await writer.drain()
        writer.close()

    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert error.code in ("http_invalid_response", "http_connection_lost")
    assert len(error.message) < 500


async def test_bytes_after_a_body_are_no_answer_to_another_execution(services: Services) -> None:
    smuggled = response(200, "smuggled", content_type="text/plain")

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        body = request.path.encode()
        extra = smuggled if request.path == "/first" else b""
        writer.write(head(f"Content-Length: {len(body)}") + body + extra)

    first, second = RecordingContext(execution_id="exec_1"), RecordingContext(execution_id="exec_2")
    node = make_http(services)
    async with http_server(answer) as server:
        for path, context in (("/first", first), ("/second", second)):
            outputs = await run_node(node, {"url": server.url + path}, context=context)
            assert isinstance(outputs, dict)
            assert outputs["body"] == path
    assert server.connections == 2


@pytest.mark.parametrize("size", [60_000, 70_000, 1_000_000])
async def test_a_redirect_to_an_endless_url_is_a_clear_error(services: Services, size: int) -> None:
    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response(302, headers={"Location": "/" + "x" * size}))

    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert error.code in ("http_invalid_response", "too_many_redirects")
    assert len(error.message) < 500


async def test_no_larger_body_may_be_asked_for_than_outputs_can_use(services: Services) -> None:
    """Small objects are large in memory: 2 MiB of ``[],[],`` is about 60 MB of lists."""
    with pytest.raises(NodeError) as refused:
        await fetch(services, "http://127.0.0.1:1/", max_response_bytes=2_097_153)
    assert refused.value.code == "invalid_config"
    content = b"[" + b"[]," * 699_000 + b"[]]"
    assert len(content) <= 2_097_152
    async with http_server(response(200, content, content_type="application/json")) as server:
        outputs = await fetch(services, server.url, max_response_bytes=2_097_152)
    assert len(outputs["body"]) == 699_001


@pytest.mark.parametrize(
    "content",
    [b"[" * 500_000, b'{"a":' * 80_000, b"[" * 200 + b"1" * 100_000, b'"' + b"\\u0000" * 80_000],
)
async def test_json_that_is_deep_or_broken_is_a_clear_error(
    services: Services, content: bytes
) -> None:
    answer = response(200, content, content_type="application/json")
    async with http_server(answer) as server:
        error = await failure(services, server.url)
    assert error.code == "http_invalid_response"
    assert len(error.message) < 500


async def test_json_of_many_small_values_is_given(services: Services) -> None:
    content = json.dumps([[] for _ in range(100_000)])
    async with http_server(response(200, content, content_type="application/json")) as server:
        assert len((await fetch(services, server.url))["body"]) == 100_000
