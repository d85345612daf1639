"""Bytes for an HTTP port: requests, what is nearly one, and what is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal

MAX_BYTES = 200_000

Ending = Literal["close", "half-close", "reset", "reset at once", "say more"]


@dataclass(frozen=True)
class Attack:
    """What one connection does."""

    parts: tuple[bytes, ...]
    """Sent one after the other."""
    ending: Ending

    @property
    def sent(self) -> bytes:
        return b"".join(self.parts)


@dataclass(frozen=True)
class Known:
    """What there is on the server."""

    key: str
    live: str
    """An execution that goes on."""
    ended: str
    workflow: str


def lines(*parts: str, body: bytes = b"") -> bytes:
    """Return the head of a request, of these lines, and a body."""
    return "\r\n".join([*parts, "", ""]).encode("latin-1") + body


def requests(known: Known) -> list[bytes]:
    """Requests that are in order."""
    keyed = f"X-API-Key: {known.key}"
    document = json.dumps({"name": "x", "nodes": {"t": {"type": "transform", "config": {}}}})
    inputs = json.dumps({"inputs": {"name": "Ada"}}).encode()
    live, ended = f"/v1/executions/{known.live}", f"/v1/executions/{known.ended}"
    return [
        lines("GET /healthz HTTP/1.1", "Host: x"),
        lines("GET /healthz HTTP/1.0"),
        lines("HEAD /v1/workflows HTTP/1.1", "Host: x", keyed),
        lines("OPTIONS /v1/workflows HTTP/1.1", "Host: x", "Origin: https://example.com"),
        lines("GET /v1/workflows?per_page=3&page=1 HTTP/1.1", "Host: x", keyed),
        lines("GET /v1/executions?status=running HTTP/1.1", "Host: x", keyed, "Connection: close"),
        lines(f"GET {live}/events HTTP/1.1", "Host: x", keyed),
        lines(f"GET {live}/events HTTP/1.0", keyed),
        lines(f"GET {ended}/events HTTP/1.1", "Host: x", keyed),
        lines(f"GET {ended}/events HTTP/1.0", keyed, "Connection: keep-alive"),
        lines(f"GET {ended}/events HTTP/1.1", "Host: x", keyed, "Accept: application/x-ndjson"),
        lines(f"GET {ended}/events?follow=false HTTP/1.1", "Host: x", keyed, "Last-Event-ID: 2"),
        lines(f"GET {ended}/events?types=execution:completed HTTP/1.1", "Host: x", keyed),
        lines(f"HEAD {live}/events HTTP/1.1", "Host: x", keyed),
        lines(f"GET {live}/events?follow=false&wait=0.05&last_event_id=2 HTTP/1.1", keyed,
              "Host: x"),
        lines("GET http://x/healthz HTTP/1.1", "Host: x"),
        lines("GET /healthz HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"),
        lines("GET /healthz HTTP/1.1", "Host: x", "Connection: Upgrade, HTTP2-Settings",
              "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        lines("POST /v1/workflows HTTP/1.1", "Host: x", keyed, "Content-Type: application/json",
              f"Content-Length: {len(document)}", body=document.encode()),
        lines(f"POST /v1/workflows/{known.workflow}/execute HTTP/1.1", "Host: x", keyed,
              "Transfer-Encoding: chunked", body=chunked(inputs[:10], inputs[10:])),
        lines(f"POST /v1/workflows/{known.workflow}/execute HTTP/1.1", "Host: x", keyed,
              "Expect: 100-continue", f"Content-Length: {len(inputs)}", body=inputs),
        lines(f"POST {ended}/tickets HTTP/1.1", "Host: x", keyed, "Content-Length: 0"),
        lines(f"POST {ended}/cancel HTTP/1.1", "Host: x", keyed, "Content-Length: 2", body=b"{}"),
        lines("PUT /v1/workflows/none HTTP/1.1", "Host: x", keyed, "Content-Length: 2", body=b"{}"),
        lines("DELETE /v1/workflows/none HTTP/1.1", "Host: x", keyed),
    ]  # fmt: skip


def chunked(*chunks: bytes) -> bytes:
    """Return a body in chunks."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return framed + b"0\r\n\r\n"


_POST = ("POST /v1/executions/none/cancel HTTP/1.1", "Host: x")
_CHUNKED = "Transfer-Encoding: chunked"
_EMPTY = chunked(b"{}")

AMBIGUOUS: dict[str, bytes] = {
    name: lines(*_POST, *headers, body=body)
    for name, headers, body in [
        ("a length and chunks", ("Content-Length: 5", _CHUNKED), _EMPTY),
        ("chunks and a length", (_CHUNKED, "Content-Length: 5"), _EMPTY),
        ("two lengths", ("Content-Length: 2", "Content-Length: 3"), b"{}x"),
        ("two lengths in one", ("Content-Length: 2, 3",), b"{}x"),
        ("a length with a sign", ("Content-Length: +2",), b"{}"),
        ("a negative length", ("Content-Length: -2",), b"{}"),
        ("a hexadecimal length", ("Content-Length: 0x2",), b"{}"),
        ("a length too long for any number", ("Content-Length: " + "9" * 40,), b"{}"),
        ("a length of words", ("Content-Length: two",), b"{}"),
        ("an unknown coding", ("Transfer-Encoding: xchunked",), _EMPTY),
        ("chunks that are not last", ("Transfer-Encoding: chunked, identity",), _EMPTY),
        ("a coding behind a tab", ("Transfer-Encoding:\x0bchunked",), _EMPTY),
        ("a space before the colon", ("Transfer-Encoding : chunked",), _EMPTY),
        ("a chunk's size of words", (_CHUNKED,), b"zz\r\n{}\r\n0\r\n\r\n"),
        ("a chunk's size with a sign", (_CHUNKED,), b"+2\r\n{}\r\n0\r\n\r\n"),
        ("a huge chunk", (_CHUNKED,), b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n"),
        ("a chunk that is longer than it says", (_CHUNKED,), b"1\r\n{}\r\n0\r\n\r\n"),
        ("a folded header", ("X-A: 1", " Content-Length: 2"), b"{}"),
        ("a NUL in a name", ("X\0A: 1",), b""),
        ("a NUL in a value", ("X-A: 1\x002",), b""),
        ("a line feed in a value", ("X-A: 1\n2",), b""),
        ("a carriage return in a value", ("X-A: 1\r2",), b""),
        ("a header without a colon", ("X-A",), b""),
        ("a header without a name", (": 1",), b""),
    ]
} | {
    "no version": b"GET /healthz\r\n\r\n",
    "another protocol's version": b"GET /healthz SIP/2.0\r\n\r\n",
    "a version of the future": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "no method": b" /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a target with a space": b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
    "a huge head": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "a huge target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a flood of headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 5_000 + b"\r\n",
}  # fmt: skip
"""What must be refused, because somebody in between could understand it otherwise (RFC 9112 §11.2),
or because it is no request at all."""

_TOKENS: Sequence[bytes] = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b"\xff", b"\xc3\x28", b"%00",
    b"%ff", b"%2e%2e/", b"//", b"?", b"#", b"&", b"=", b";", b"\x80", b"\x16\x03\x01", b"*",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 18446744073709551617\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n",
    b"ffffffffffffffff\r\n", b"5;ext=\"1\"\r\n", b"Connection: close\r\n", b"Host: y\r\n",
    b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n",
    b"Last-Event-ID: 1\r\n", b"Last-Event-ID: \xf0\x9f\x98\x80\r\n", b"Accept: */*;q=0\r\n",
    b"Accept: application/json\r\n", b"X-Request-Id: \xe9\r\n", b"Authorization: Bearer \xff\r\n",
    b"Content-Encoding: gzip\r\n", b"Content-Type: application/yaml\r\n", b" folded\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"HEAD", b"CONNECT", b"TRACE",
    b"?last_event_id=-1", b"?types=", b"&include=node:log", b"?wait=1e9", b"?follow=\xff",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


class Attacker:
    """Makes attacks, the same ones for the same seed."""

    def __init__(self, known: Known, seed: int) -> None:
        self._requests = requests(known)
        self._odd = list(AMBIGUOUS.values())
        self._random = Random(seed)
        self._mutations: tuple[Callable[[bytes], bytes], ...] = (
            self._insert, self._insert, self._flip, self._remove, self._repeat, self._cut,
            self._splice, self._unfold,
        )  # fmt: skip

    def attack(self) -> Attack:
        """Return the next one."""
        random = self._random
        kind = random.random()
        if kind < 0.05:
            sent = random.randbytes(random.randint(1, 400))
        else:
            count = random.choice((1, 1, 1, 2, 3))
            sent = b"".join(random.choice(self._requests) for _ in range(count))
            if kind < 0.15:
                sent += random.choice(self._odd)
            if kind > 0.3:
                for _ in range(random.randint(1, 4)):
                    sent = random.choice(self._mutations)(sent)
        endings: Sequence[Ending] = (
            "close", "close", "close", "half-close", "reset", "reset at once", "say more",
        )  # fmt: skip
        return Attack(self._in_parts(sent[:MAX_BYTES]), random.choice(endings))

    def more(self) -> bytes:
        """Return what a client says while it is being answered."""
        random = self._random
        return random.choice((b"\r\n", b"x", random.randbytes(50), random.choice(self._requests)))

    def _in_parts(self, sent: bytes) -> tuple[bytes, ...]:
        random = self._random
        cuts = sorted(random.randint(0, len(sent)) for _ in range(random.choice((0, 0, 1, 2, 5))))
        bounds = [0, *cuts, len(sent)]
        return tuple(part for start, end in pairwise(bounds) if (part := sent[start:end]))

    def _place(self, sent: bytes) -> int:
        return self._random.randint(0, len(sent))

    def _insert(self, sent: bytes) -> bytes:
        place = self._place(sent)
        if self._random.random() < 0.6:  # where a line begins
            place = sent.rfind(b"\n", 0, place) + 1
        return sent[:place] + self._random.choice(_TOKENS) + sent[place:]

    def _flip(self, sent: bytes) -> bytes:
        if not sent:
            return sent
        place = self._random.randrange(len(sent))
        return sent[:place] + self._random.randbytes(1) + sent[place + 1 :]

    def _remove(self, sent: bytes) -> bytes:
        place = self._place(sent)
        return sent[:place] + sent[place + self._random.choice((1, 2, 10, 100)) :]

    def _repeat(self, sent: bytes) -> bytes:
        place = self._place(sent)
        part = sent[place : place + self._random.choice((1, 5, 50))]
        return sent[:place] + part * self._random.choice((2, 3, 500)) + sent[place:]

    def _cut(self, sent: bytes) -> bytes:
        return sent[: self._place(sent)]

    def _splice(self, sent: bytes) -> bytes:
        other = self._random.choice(self._requests)
        return sent[: self._place(sent)] + other[self._place(other) :]

    def _unfold(self, sent: bytes) -> bytes:
        return sent.replace(b"\r\n", self._random.choice((b"\n", b"\r", b"\r\n ", b"\r\r\n")), 3)
