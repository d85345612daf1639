"""What ``http`` nodes may reach, on real sockets.

The loopback interface has many addresses: ``127.0.0.1`` is what an operator allowed here, and
``127.0.0.2`` is the inside of the network.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from flowmaestro.nodes import AllowedNetworks, HttpOptions, NodeError, Services
from flowmaestro.nodes.builtin.http import make_http
from flowmaestro.nodes.outbound.resolver import Resolver
from flowmaestro.nodes.testing import run_node
from tests.support.http_server import ReceivedRequest, http_server, response

INSIDE = "127.0.0.2"
PUBLIC = "93.184.215.14"


class Names:
    """Answers of a name server, one list for each time a name is asked; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        answers = self._answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@asynccontextmanager
async def nodes(
    *allowed: str, resolve: Resolver | None = None, environment: bool = False
) -> AsyncIterator[Services]:
    services = Services(
        http=HttpOptions(
            use_environment=environment,
            allowed_networks=AllowedNetworks.parse(allowed),
            resolve=resolve,
        )
    )
    try:
        yield services
    finally:
        await services.aclose()


async def fetch(services: Services, url: str, **config: Any) -> dict[str, Any]:
    result = await run_node(make_http(services), {"url": url, **config})
    assert isinstance(result, dict)
    return result


async def failure(services: Services, url: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await fetch(services, url, **config)
    return caught.value


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "127.0.1", "0x7f000001", "0x7f.1", "017700000001", "2130706433"),
        *("localhost", "LOCALHOST", "127。0。0。1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        *("0.0.0.0", "0", "user@127.0.0.1", "example.com:80@127.0.0.1"),
    ],
)
async def test_no_spelling_of_a_loopback_address_gets_through(host: str) -> None:
    async with http_server(response(200, "inside")) as server:
        url = f"http://{host}:{server.port}/"
        async with nodes() as services:
            error = await failure(services, url)
        assert (error.code, error.retryable) == ("http_address_forbidden", False)
        assert server.connections == 0
        async with nodes("*") as services:
            assert (await fetch(services, url))["body"] == "inside"


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "192.0.0.192"),
        *("168.63.129.16", "100.100.100.200", "224.0.0.1", "255.255.255.255", "198.18.0.1"),
        *("[::1]", "[::]", "[::127.0.0.1]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%1]"),
        *("[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]"),
        *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::ffff:169.254.169.254]", "[2001:db8::1]"),
        *("0xa9fea9fe", "2852039166", "0xa.1"),
    ],
)
async def test_nothing_that_is_not_public_is_connected_to(host: str) -> None:
    async with nodes() as services:
        error = await failure(services, f"http://{host}/latest/meta-data")
    assert error.code == "http_address_forbidden"


@pytest.mark.parametrize(
    ("host", "codes"),
    [
        ("①②⑦.⓪.⓪.①", {"invalid_url", "http_address_forbidden"}),
        ("１２７.０.０.１", {"invalid_url", "http_address_forbidden"}),
        ("ⓛocalhost", {"invalid_url", "http_address_forbidden"}),
        ("localhost.", {"http_dns", "http_address_forbidden"}),
        ("127.0.0.1.", {"http_dns", "http_address_forbidden"}),
        ("0177.0.0.1", {"invalid_url", "http_address_forbidden"}),
        ("%31%32%37.0.0.1", {"http_dns", "invalid_url", "http_address_forbidden"}),
        ("127.0.0.1%00.example.com", {"http_dns", "invalid_url", "http_address_forbidden"}),
        ("a..b", {"http_dns", "invalid_url"}),
        ("a" * 70 + ".example.com", {"http_dns", "invalid_url"}),
    ],
)
async def test_a_spelling_that_libraries_disagree_about_reaches_nothing(
    host: str, codes: set[str]
) -> None:
    async with http_server(response(200, "inside")) as server, nodes() as services:
        error = await failure(services, f"http://{host}:{server.port}/")
        assert error.code in codes
        assert server.connections == 0


async def test_the_error_names_the_host_and_the_setting_and_no_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = Names(db_corp=[["10.20.30.40"]])
    async with nodes(resolve=names) as services:
        with caplog.at_level(logging.WARNING):
            error = await failure(services, "http://db.corp/secret-path")
    assert error.message == (
        "http nodes may not reach 'db.corp': it is not public, and the server's operator has not "
        "allowed it (the setting FLOWMAESTRO_HTTP_ALLOWED_NETWORKS)"
    )
    assert "an http node was refused db.corp, which is 10.20.30.40" in caplog.text
    assert "secret-path" not in caplog.text


async def test_what_the_operator_allows_is_reached() -> None:
    async with (
        http_server(response(200, "yes")) as server,
        http_server(response(200, "no"), host=INSIDE) as inside,
        nodes("127.0.0.1") as services,
    ):
        assert (await fetch(services, server.url))["body"] == "yes"
        assert (await failure(services, inside.url)).code == "http_address_forbidden"
        assert inside.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_checked_as_a_request_is(status: int) -> None:
    async with http_server(response(200, "no"), host=INSIDE) as inside:
        away = response(status, headers={"Location": f"{inside.url}/admin"})
        async with http_server(away) as server, nodes("127.0.0.1") as services:
            error = await failure(services, server.url, method="POST", body="x")
        assert error.code == "http_address_forbidden"
        assert repr(INSIDE) in error.message
        assert len(server.requests) == 1
        assert inside.connections == 0


async def test_a_redirect_to_a_name_of_the_inside_is_refused() -> None:
    names = Names(public_test=[["127.0.0.1"]], inside_test=[[INSIDE]])
    async with http_server(response(200, "no"), host=INSIDE) as inside:
        away = response(302, headers={"Location": f"http://inside.test:{inside.port}/"})
        async with http_server(away) as server, nodes("127.0.0.1", resolve=names) as services:
            error = await failure(services, f"http://public.test:{server.port}/")
        assert error.code == "http_address_forbidden"
        assert inside.connections == 0
    assert names.asked == ["public.test", "inside.test"]


async def test_a_name_is_looked_up_once_for_a_connection() -> None:
    """A name server that gives an allowed address first and a forbidden one after (rebinding)."""
    names = Names(rebinding_test=[["127.0.0.1"], [INSIDE]])

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response(200, "outside", headers={"Connection": "close"}))
        if request.path == "/last":
            writer.close()

    async with (
        http_server(answer) as server,
        http_server(response(200, "inside"), host=INSIDE, port=server.port) as inside,
        nodes("127.0.0.1", resolve=names) as services,
    ):
        url = f"http://rebinding.test:{server.port}"
        assert (await fetch(services, f"{url}/last"))["body"] == "outside"
        assert names.asked == ["rebinding.test"]
        error = await failure(services, url)
        assert error.code == "http_address_forbidden"
        assert names.asked == ["rebinding.test"] * 2
        assert (server.connections, inside.connections) == (1, 0)


async def test_a_kept_connection_is_used_again_without_another_look() -> None:
    names = Names(rebinding_test=[["127.0.0.1"], [INSIDE]])
    async with (
        http_server(response(200, "outside")) as server,
        nodes("127.0.0.1", resolve=names) as services,
    ):
        for _ in range(3):
            outputs = await fetch(services, f"http://rebinding.test:{server.port}")
            assert outputs["body"] == "outside"
    assert names.asked == ["rebinding.test"]
    assert server.connections == 1


async def test_of_several_addresses_only_allowed_ones_are_used() -> None:
    names = Names(mixed_test=[[INSIDE, "10.0.0.1", "::1", "127.0.0.1"]])
    async with (
        http_server(response(200, "outside")) as server,
        http_server(response(200, "inside"), host=INSIDE, port=server.port) as inside,
        nodes("127.0.0.1", resolve=names) as services,
    ):
        outputs = await fetch(services, f"http://mixed.test:{server.port}")
        assert outputs["body"] == "outside"
        assert inside.connections == 0


async def test_an_address_that_refuses_gives_way_to_the_next() -> None:
    names = Names(two_test=[["127.0.0.3", "127.0.0.1"]])
    async with (
        http_server(response(200, "second")) as server,
        nodes("loopback", resolve=names) as services,
    ):
        outputs = await fetch(services, f"http://two.test:{server.port}")
        assert outputs["body"] == "second"


async def test_an_address_that_does_not_answer_gives_way_to_the_next() -> None:
    names = Names(two_test=[["127.0.0.3", "127.0.0.1"]])
    async with http_server(response(200, "second")) as server:
        with _silent_listener("127.0.0.3", server.port):
            async with nodes("loopback", resolve=names) as services:
                outputs = await fetch(services, f"http://two.test:{server.port}")
    assert outputs["body"] == "second"


async def test_when_no_address_answers_the_error_is_of_the_first() -> None:
    names = Names(two_test=[["127.0.0.3", "127.0.0.4"]])
    async with http_server(response(200)) as server, nodes("loopback", resolve=names) as services:
        error = await failure(services, f"http://two.test:{server.port}")
    assert (error.code, error.retryable) == ("http_unreachable", True)
    assert error.message.endswith("cannot be reached: Connection refused")


async def test_a_name_with_thousands_of_addresses_is_no_port_scan() -> None:
    many = [f"127.0.{high}.{low}" for high in range(1, 9) for low in range(1, 251)]
    names = Names(many_test=[[*many, "127.0.0.1"]])
    async with http_server(response(200)) as server, nodes("loopback", resolve=names) as services:
        error = await failure(services, f"http://many.test:{server.port}")
        assert error.code == "http_unreachable"
        assert server.connections == 0


async def test_a_look_up_takes_no_thread_from_anybody_else() -> None:
    release = threading.Event()
    with ThreadPoolExecutor(1) as everybody:
        async with http_server(response(200, "found")) as server, nodes("loopback") as services:
            await fetch(services, server.url)  # the client is made
            asyncio.get_running_loop().set_default_executor(everybody)
            everybody.submit(release.wait)
            try:
                outputs = await fetch(services, f"http://localhost:{server.port}/")
            finally:
                release.set()
    assert outputs["body"] == "found"


async def test_cancelling_ends_the_look_up() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def slow(host: str, port: int) -> Sequence[str]:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return []

    async with nodes(resolve=slow) as services:
        fetching = asyncio.ensure_future(fetch(services, "http://slow.test/"))
        await asked.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert ended.is_set()
        error = await failure(services, "http://slow.test/", timeout_ms=20)
        assert error.code == "http_timeout"


async def test_tls_verifies_the_name_and_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.test").configure_cert(context)
    greeted: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: greeted.append(name)
    names = Names(shop_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
    async with (
        http_server(response(200, "safe"), tls=context) as server,
        nodes("127.0.0.1", resolve=names, environment=True) as services,
    ):
        outputs = await fetch(services, f"https://shop.test:{server.port}/")
        error = await failure(services, f"https://other.test:{server.port}/")
    assert outputs["body"] == "safe"
    assert error.code == "http_tls"
    assert greeted == ["shop.test", "other.test"]


async def test_a_proxy_of_the_operators_is_asked_for_what_may_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(shop_test=[[PUBLIC]], inside_test=[[PUBLIC, "10.0.0.1"]])
    async with http_server(response(200, "by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with nodes(resolve=names, environment=True) as services:
            assert (await fetch(services, "http://shop.test/a"))["body"] == "by proxy"
            # Only the proxy can find it: the proxy is the guard.
            assert (await fetch(services, "http://unknown.test/b"))["body"] == "by proxy"
            for host in ("inside.test", "10.0.0.1", "[::1]", "127.0.0.1:1", "169.254.169.254"):
                error = await failure(services, f"http://{host}/")
                assert error.code == "http_address_forbidden"
    assert [request.target for request in proxy.requests] == [
        "http://shop.test/a",
        "http://unknown.test/b",
    ]


async def test_a_proxied_connection_is_left_to_no_other_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(shop_test=[[PUBLIC]])
    async with http_server(response(200, "by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with nodes(resolve=names, environment=True) as services:
            for _ in range(3):
                await fetch(services, "http://shop.test/")
        assert proxy.connections == 3


async def test_a_proxy_is_asked_where_no_name_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with http_server(response(200, "by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with nodes(resolve=silent, environment=True) as services:
            assert (await fetch(services, "http://shop.test/"))["body"] == "by proxy"


async def test_a_proxy_is_asked_at_once_where_everything_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names()
    async with http_server(response(200, "by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with nodes("*", resolve=names, environment=True) as services:
            assert (await fetch(services, "http://inside.test/"))["body"] == "by proxy"
    assert names.asked == []


@pytest.mark.parametrize("bypass", ["direct.test", ".test", "127.0.0.1,direct.test", "*"])
async def test_a_host_without_proxy_is_guarded_as_ever(
    bypass: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(direct_test=[["127.0.0.1"], [INSIDE]])
    async with http_server(response(200, "by proxy")) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", bypass)
        async with (
            http_server(response(200, "direct", headers={"Connection": "close"})) as server,
            nodes("127.0.0.1", resolve=names, environment=True) as services,
        ):
            url = f"http://direct.test:{server.port}/"
            assert (await fetch(services, url))["body"] == "direct"
            assert (await failure(services, url)).code == "http_address_forbidden"
    assert proxy.connections == 0


@pytest.mark.parametrize("bypass", ["::1", "[::1]"])
async def test_an_ipv6_address_needs_no_brackets_in_no_proxy(
    bypass: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server(response(200, "by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", bypass)
        async with nodes("::1", environment=True) as services:
            error = await failure(services, "http://[::1]:1/")
            outputs = await fetch(services, "http://8.8.8.8/")
    assert error.code == "http_unreachable"
    assert outputs["body"] == "by proxy"


@contextmanager
def _silent_listener(host: str, port: int) -> Iterator[None]:
    """A port whose queue is full: it neither accepts nor refuses."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield
