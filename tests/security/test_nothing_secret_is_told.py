"""Keys, tickets and the operator's secrets, in every place that somebody may put them, and then
looked for wherever the server writes: its log, its answers, its events, its metrics, its database,
and what other users of the machine can see of its process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.api.keys import generate_key, hash_key
from tests.support.api import assert_error, create, execute, finish, greeting, waiting
from tests.support.api_walk import PREFIXES
from tests.support.raw_http import open_connection
from tests.support.server import ServerProcess, live_server, server_process

SECRETS = {
    "PLAIN": "s3cr3t-of-the-shop",
    "QUOTED": "quo\"ted\\and<b>&'more'",
    "FOREIGN": "geheimnis-äöü-密码",
    "LINES": "-----BEGIN KEY-----\nMIIEabcdef\n-----END KEY-----",
}
PROVIDER_KEY = "sk-provider-0123456789abcdef"

NODES = """
import logging
from flowmaestro import NodeContext, NodeError, node

logger = logging.getLogger("shop")

@node("tell")
async def tell(token: str, context: NodeContext) -> dict:
    context.log(f"using {token}", level="warning")
    logger.warning("using %s", token)
    logger.error("using it", extra={"token": token, "nested": {"tokens": [token, {token: 1}]}})
    try:
        raise LookupError(token)
    except LookupError:
        logger.exception("it was %r", token)
    return {"text": token, "inside": f"<{token}>", "list": [[token]], token: {token: token}}

@node("raise")
async def raise_(token: str) -> dict:
    try:
        raise KeyError(token)
    except KeyError as error:
        raise RuntimeError(f"not {token}", {"token": token}) from error

@node("cut")
async def cut(token: str, context: NodeContext) -> dict:
    for limit in (4_000, 8_000, 20_000):
        for before in range(limit - len(token) - 20, limit, 3):
            context.log("x" * before + token)
    raise ValueError("x" * (4_000 - len("ValueError: ") - 6) + token)

@node("refuse")
async def refuse(token: str) -> dict:
    raise NodeError(f"no {token}", code=f"code_{token}")
"""


def spellings(secret: str) -> set[bytes]:
    """The ways in which a text may stand in a file."""
    texts = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    texts |= {json.dumps(secret, ensure_ascii=False)[1:-1]}
    texts |= {json.dumps(text)[1:-1] for text in texts}
    # And some of it: what was cut in two before it was looked for.
    texts |= {secret[:6], *secret.splitlines()}
    return {text.encode() for text in texts}


def leaky(secret: str) -> dict[str, Any]:
    value = f"{{{{ secrets.{secret} }}}}"
    nodes: dict[str, Any] = {
        kind: {
            "type": kind,
            "config": {"token": value},
            "on_error": {"strategy": "continue"},
        }
        for kind in ("tell", "raise", "refuse", "cut")
    }
    nodes["text"] = {"type": "transform", "config": {"value": f"the token is {value}."}}
    nodes["json"] = {
        "type": "transform",
        "config": {"value": f"{{{{ secrets.{secret} | tojson }}}}"},
    }
    nodes["send"] = {
        "type": "http",
        "config": {
            "url": "http://127.0.0.1:9/{{ secrets.PLAIN }}",
            "headers": {"Authorization": "Bearer {{ secrets.PLAIN }}"},
            "body": {"token": value},
        },
        "on_error": {"strategy": "continue"},
    }
    nodes["bad"] = {
        "type": "wait",
        "config": {"duration_ms": value},
        "on_error": {"strategy": "continue"},
    }
    nodes["out"] = {"type": "output", "config": {"output_name": "told", "value": value}}
    nodes["fails"] = {"type": "raise", "config": {"token": value}}
    return {"name": "Leaky", "nodes": nodes, "edges": []}


class Told:
    """All that a server has told."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, bytes]] = []

    def response(self, response: httpx2.Response) -> None:
        head = b"".join(name + b": " + value + b"\n" for name, value in response.headers.raw)
        self.add(f"the answer to {response.request.method}", head + response.content)

    def add(self, place: str, data: bytes) -> None:
        self._parts.append((place, data))

    def process(self, server: ServerProcess) -> None:
        root = Path(f"/proc/{server.process.pid}")
        for file in (root / "cmdline", *root.glob("task/*/comm"), root / "status"):
            self.add(str(file), file.read_bytes())

    def files(self, folder: Path) -> None:
        for file in folder.glob("flowmaestro.db*"):
            self.add(file.name, file.read_bytes())

    def places_with(self, needles: set[bytes]) -> list[str]:
        return [place for place, data in self._parts if any(needle in data for needle in needles)]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._parts)


def client_of(server: ServerProcess, **headers: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=server.base_url, headers=headers, timeout=30, trust_env=False
    )


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_a_secret_that_nodes_use_print_raise_and_send_is_nowhere(
    tmp_path: Path, log_format: str
) -> None:
    (tmp_path / "shop.py").write_text(NODES)
    environment = {
        "FLOWMAESTRO_LOG_LEVEL": "debug",
        "FLOWMAESTRO_LOG_FORMAT": log_format,
        "FLOWMAESTRO_NODES": str(tmp_path / "shop.py"),
        "OPENAI_API_KEY": PROVIDER_KEY,
        "OPENAI_BASE_URL": f"http://127.0.0.1:9/{PROVIDER_KEY}",
        **{f"FLOWMAESTRO_SECRET_{name}": value for name, value in SECRETS.items()},
    }
    told = Told()
    with server_process(tmp_path, environment) as server:
        async with client_of(server, **{"X-API-Key": await server.new_key()}) as client:
            for name in SECRETS:
                execution_id = await execute(client, await create(client, leaky(name)))
                ended = await finish(client, execution_id)
                assert ended["status"] == "failed"
                assert "***" in ended["error"]
                for path in ("", "/events?include=node:log", "/events?follow=false&limit=1000"):
                    told.response(await client.get(f"/v1/executions/{execution_id}{path}"))
                events = await client.get(f"/v1/executions/{execution_id}/events?include=node:log")
                assert events.text.count("***") > 10
            asks = {"type": "ai_chat", "config": {"model": "m", "prompt": "{{ secrets.PLAIN }}"}}
            workflow_id = await create(client, greeting(nodes={"ask": asks}, edges=[]))
            execution_id = await execute(client, workflow_id)
            assert (await finish(client, execution_id))["status"] == "failed"
            told.response(await client.get(f"/v1/executions/{execution_id}/events"))
            for path in ("/metrics", "/openapi.json", "/docs", "/v1/workflows", "/v1/executions"):
                told.response(await client.get(path))
        told.process(server)
        assert server.stop() == 0
        told.add("the log", server.log.encode())
        assert "using ***" in server.log
        assert "LookupError: ***" in server.log
        told.files(tmp_path)
    for secret in (*SECRETS.values(), PROVIDER_KEY):
        assert told.places_with(spellings(secret)) == []


async def test_a_key_or_ticket_that_is_put_anywhere_is_nowhere(tmp_path: Path) -> None:
    told = Told()
    with server_process(tmp_path, {"FLOWMAESTRO_LOG_LEVEL": "debug"}) as server:
        key, other, unknown = await server.new_key(), await server.new_key(), generate_key("live")
        async with client_of(server, **{"X-API-Key": key}) as client:
            execution_id = await execute(client, await create(client, waiting(1)))
            answer = await client.post(f"/v1/executions/{execution_id}/tickets")
            ticket = answer.json()["data"]["ticket"]
        signature = ticket.rpartition(".")[2]
        forged = ticket[:-3] + ("AAA" if signature[-3:] != "AAA" else "BBB")
        anonymous, client = client_of(server), client_of(server, **{"X-API-Key": key})
        for credential in (key, other, unknown, ticket, forged):
            for sent in _misplaced(credential, execution_id):
                told.response(await anonymous.request(**sent))
                told.response(await client.request(**sent))
            connection = await open_connection(int(server.base_url.rpartition(":")[2]))
            connection.write(f"GET /{credential} HTTP/7.7\r\n{credential}\r\n\r\n".encode())
            told.add("the answer to no request", await connection.read(65536))
            await connection.close()
        for path in ("/metrics", "/openapi.json", "/docs", "/v1/executions"):
            told.response(await client.get(path))
        await anonymous.aclose()
        await client.aclose()
        told.process(server)
        assert server.stop() == 0
        told.add("the log", server.log.encode())
        told.files(tmp_path)
    assert len(list(told)) > 200
    for credential in (key, other, unknown, signature, forged.rpartition(".")[2]):
        assert told.places_with({credential.encode(), credential.lower().encode()}) == []
    # A ticket is signed with its key's hash, so that is a secret too, if not from the database.
    assert [
        place for place in told.places_with({hash_key(key).encode()}) if ".db" not in place
    ] == []


def _misplaced(credential: str, execution_id: str) -> Iterator[dict[str, Any]]:
    """Yield requests that have a credential in a place it does not belong into."""
    for prefix in ("", *PREFIXES):
        events = f"{prefix}/executions/{execution_id}/events"
        for path in (
            f"{prefix}/{credential}",
            f"{prefix}/executions/{credential}",
            f"{prefix}/executions/{credential}/events",
            f"{prefix}/workflows/{credential}",
            f"{prefix}/workflows?{credential}={credential}",
            f"{prefix}/executions?workflow_id={credential}",
            f"{prefix}/executions?status={credential}",
            f"{prefix}/executions?page={credential}",
            f"{events}?last_event_id={credential}",
            f"{events}?types={credential}",
            f"{events}?follow=false&key={credential}",
            f"{events}?ticket={credential}x",
            f"{events}?ticket={credential[:-1]}&ticket=b",
        ):
            yield {"method": "GET", "url": path}
    events = f"/v1/executions/{execution_id}/events?follow=false"
    for header in (
        *("Accept", "Last-Event-ID", "X-Request-Id", "Origin", "Referer", "User-Agent", "Cookie"),
        *("Content-Type", "Content-Encoding", "Idempotency-Key", "X-Forwarded-For", credential),
    ):
        yield {"method": "GET", "url": events, "headers": {header: credential}}
        yield {
            "method": "POST",
            "url": "/v1/workflows/unknown/execute",
            "headers": {header: credential},
            "content": b"{}",
        }
    for value in (
        f"Bearer {credential}x",
        f"Basic {credential}",
        credential,
        f"Token {credential}",
    ):
        yield {"method": "GET", "url": "/v1/workflows", "headers": {"Authorization": value}}
    for body in (
        {credential: credential},
        {"reason": [credential]},
        {"inputs": credential},
        {"ttl_seconds": credential},
        {"id": f"{credential} {credential}", "name": credential, "nodes": {}},
        {"name": "N", "nodes": {credential: {"type": credential}}, "edges": [credential]},
        {
            "name": "N",
            "nodes": {"a": {"type": "transform", "config": {"value": "{{ " + credential}}},
        },
    ):
        for path in (
            "/v1/workflows",
            f"/v1/executions/{execution_id}/cancel",
            f"/v1/executions/{execution_id}/tickets",
        ):
            yield {"method": "POST", "url": path, "json": body}
    for text in (f"{{{credential}", f'"{credential}"', f'{{"a": {credential}}}'):
        for media_type in ("application/json", "application/yaml"):
            yield {
                "method": "POST",
                "url": "/v1/workflows",
                "content": text,
                "headers": {"Content-Type": media_type},
            }


async def test_an_idempotency_key_that_is_a_key_is_refused_and_not_stored(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as client:
        workflow_id = await create(client, greeting())
        answer = await client.post(
            f"/v1/workflows/{workflow_id}/execute",
            json={"inputs": {"name": "Ada"}},
            headers={"Idempotency-Key": server.key},
        )
        assert assert_error(answer, "validation_error")["details"]["field"] == (
            "header.Idempotency-Key"
        )
        assert (await client.get("/v1/executions")).json()["data"] == []
