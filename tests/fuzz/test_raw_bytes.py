"""Whatever bytes come to the HTTP port, what goes back is HTTP, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fuzz.effort import Effort
from tests.fuzz.fuzzed_server import PATIENCE_SECONDS, FuzzedServer, finish, fuzzed_server
from tests.fuzz.raw_requests import AMBIGUOUS, Attack, Attacker, Known
from tests.fuzz.raw_responses import NotHttp, check, read_responses
from tests.support.api import greeting, waiting

CONNECTIONS = 16
"""So many attack at once."""
ATTACKS_A_ROUND = 500
QUIET_SECONDS = 0.05
"""A server that says nothing for so long is taken to be waiting for more. Were it only slow, less
would be seen of what it answers; nothing fails for it."""
MOST_READ_BYTES = 1_000_000


@pytest.fixture(scope="module", params=[True, False], ids=["lane", "messages"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FuzzedServer]:
    with fuzzed_server(tmp_path_factory.mktemp("raw"), lane=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def known(server: FuzzedServer) -> Known:
    with server.client() as client:
        found = []
        for document in (greeting(id="greeting"), waiting(3_600_000, id="waiting")):
            workflow = client.post("/v1/workflows", json=document).json()["data"]["id"]
            body = {"inputs": {"name": "Ada"}}
            started = client.post(f"/v1/workflows/{workflow}/execute", json=body).json()["data"]
            found.append(started["execution_id"])
        finish(client, f"/v1/executions/{found[0]}/events")
    return Known(key=server.key, live=found[1], ended=found[0], workflow="greeting")


TOO_LARGE = {"a huge target": 414, "a huge head": 431, "a flood of headers": 431}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_what_could_be_understood_in_two_ways_is_refused(
    server: FuzzedServer, name: str
) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    # Were it not refused, what follows would be taken for a request of its own.
    writer.write(AMBIGUOUS[name] + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        received = await reader.read()
    writer.close()

    [response] = read_responses(received, ended=True, may_be_head=False)
    check(response, AMBIGUOUS[name])
    assert response.status == TOO_LARGE.get(name, 400)


async def test_nothing_but_http_comes_back(
    server: FuzzedServer, known: Known, effort: Effort
) -> None:
    counts: Counter[str] = Counter()
    for round_ in effort.rounds(1):
        attacker = Attacker(known, effort.seed * 1_000_003 + round_)
        free = asyncio.Semaphore(CONNECTIONS)

        async def carry_out(attack: Attack, more: bytes, free: asyncio.Semaphore = free) -> None:
            async with free:
                await _carry_out(server, attack, more, counts)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(ATTACKS_A_ROUND):
                tasks.create_task(carry_out(attacker.attack(), attacker.more()))
        with server.client() as client:
            assert client.get("/healthz").status_code == 200

    assert counts["responses"]
    effort.record("raw bytes", **counts)


async def _carry_out(
    server: FuzzedServer, attack: Attack, more: bytes, counts: Counter[str]
) -> None:
    reader, writer = await asyncio.open_connection(*server.address, limit=2 * MOST_READ_BYTES)
    received, ended = b"", False
    try:
        for part in attack.parts:
            writer.write(part)
            await asyncio.sleep(0)  # lets it go out by itself
        if attack.ending == "reset at once":
            _reset(writer)
        else:
            if attack.ending == "half-close":
                writer.write_eof()
            received, ended = await _read(reader)
            if attack.ending == "say more" and not ended:
                writer.write(more)
                further, ended = await _read(reader)
                received += further
            if attack.ending == "reset":
                _reset(writer)
    except OSError:
        ended = False  # it was reset: what had been on its way is lost
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if attack.ending == "half-close":
        ended = False  # it is taken for the client's leaving: what was being said is broken off
    may_be_head = b"HEAD" in attack.sent + more
    try:
        responses = read_responses(received, ended=ended, may_be_head=may_be_head)
    except NotHttp as error:
        error.add_note(f"after {attack.ending}, to {attack.sent[:3000]!r}")
        raise
    for response in responses:
        if response.status:
            check(response, attack.sent)
    counts["cases"] += 1
    counts["responses"] += len(responses)


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """Return what comes until nothing does, and whether the connection has ended."""
    received = b""
    while len(received) < MOST_READ_BYTES:
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                part = await reader.read(65536)
        except TimeoutError:
            return received, False
        if not part:
            return received, True
        received += part
    return received, False


def _reset(writer: asyncio.StreamWriter) -> None:
    """Let the connection end with a reset instead of an orderly end."""
    found = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed already
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
