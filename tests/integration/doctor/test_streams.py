"""What ``flowmaestro doctor`` finds at a URL, with proxies that do what proxies do to streams."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from flowmaestro.api.keys import BUNDLES
from flowmaestro.main.doctor.findings import Finding
from flowmaestro.main.doctor.remote import check_server
from tests.support import api
from tests.support.proxy import Proxy, running_proxy
from tests.support.server import LiveServer, live_server


async def findings(url: str, key: str | None, **options: Any) -> dict[str, Finding]:
    """Return what the doctor finds, by check."""
    found = await asyncio.to_thread(lambda: list(check_server(url, key, **options)))
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding for finding in found}


def states(found: dict[str, Finding]) -> dict[str, str]:
    """Return the checks that are not all right; that frames come late is the machine's."""
    return {
        check: finding.state
        for check, finding in found.items()
        if finding.state != "ok" and "seconds late" not in finding.text
    }


async def left_over(server: LiveServer) -> tuple[int, set[str]]:
    """Return how many workflows there are, and the statuses of executions."""
    async with server.client() as client:
        workflows = (await client.get("/api/v1/workflows")).json()["data"]
        executions = (await client.get("/api/v1/executions")).json()["data"]
    return len(workflows), {execution["status"] for execution in executions}


async def test_without_a_proxy_all_is_well_and_nothing_is_left(tmp_path: Path) -> None:
    async with live_server(tmp_path, heartbeat_seconds=0.2) as server:
        found = await findings(server.base_url, server.key, wait_seconds=1)
        assert states(found) == {}
        assert "held back" not in found["stream.buffering"].text
        assert found["proxy"].text == "none says so"
        assert await left_over(server) == (0, {"cancelled"})


async def test_a_proxy_that_passes_everything_on_is_named_and_no_problem(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path) as server,
        running_proxy(Proxy(server.base_url, name="nginx")) as proxy,
    ):
        found = await findings(proxy.base_url, server.key)
        assert states(found) == {}
        assert found["proxy"].text.startswith("nginx")


@pytest.mark.parametrize(
    "proxy_options", [{"hold_streams": True}, {"hold_bytes": 4096}, {"hold_bytes": 1024}]
)
async def test_a_proxy_that_holds_frames_back_is_found_out(
    tmp_path: Path, proxy_options: dict[str, Any]
) -> None:
    async with (
        live_server(tmp_path) as server,
        running_proxy(Proxy(server.base_url, **proxy_options)) as proxy,
    ):
        found = await findings(proxy.base_url, server.key, patience_seconds=1)
        assert states(found) == {"stream.buffering": "problem"}
        assert "held back" in found["stream.buffering"].text
        assert "proxy_buffering off" in str(found["stream.buffering"].advice)
        assert await left_over(server) == (0, {"cancelled"})


async def test_compression_on_the_way_is_found_out(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path) as server,
        running_proxy(Proxy(server.base_url, compress=True)) as proxy,
    ):
        found = await findings(proxy.base_url, server.key)
        assert states(found) == {"stream.compression": "warning"}
        assert "gzip" in found["stream.compression"].text


async def test_a_cursor_that_does_not_arrive_is_found_out(tmp_path: Path) -> None:
    dropped = frozenset({"last-event-id"})
    async with (
        live_server(tmp_path) as server,
        running_proxy(Proxy(server.base_url, drop_request_headers=dropped)) as proxy,
    ):
        found = await findings(proxy.base_url, server.key)
        assert states(found) == {"stream.cursor": "problem"}


async def test_an_idle_stream_that_is_cut_is_found_out(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path) as server,
        running_proxy(Proxy(server.base_url, cut_when_idle_seconds=3)) as proxy,
    ):
        found = await findings(proxy.base_url, server.key, wait_seconds=12)
        assert states(found) == {"stream.idle": "problem"}
        assert "cut after" in found["stream.idle"].text
        assert "proxy_read_timeout" in str(found["stream.idle"].advice)


async def test_without_a_key_streams_are_not_looked_at(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server:
        found = await findings(server.base_url, None)
        assert states(found) == {"stream": "warning"}
        assert "FLOWMAESTRO_API_KEY" in str(found["stream"].advice)


async def test_a_key_that_only_reads_looks_at_what_runs(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path) as server,
        server.client() as client,
        running_proxy(Proxy(server.base_url, hold_streams=True)) as proxy,
    ):
        key = await server.new_key(scopes=BUNDLES["read-only"])
        found = await findings(server.base_url, key)
        assert states(found) == {"stream": "warning"}
        assert "workflows:write" in str(found["stream"].advice)
        execution = await api.execute(client, await api.create(client, api.waiting()))
        found = await findings(server.base_url, key)
        assert states(found) == {}
        assert execution in found["stream.buffering"].text
        found = await findings(proxy.base_url, key, patience_seconds=1)
        assert states(found) == {"stream.buffering": "problem"}


@pytest.mark.parametrize("missing", ["executions:read", "workflows:execute"])
async def test_a_key_that_lacks_a_scope_leaves_nothing_behind(tmp_path: Path, missing: str) -> None:
    async with live_server(tmp_path) as server:
        key = await server.new_key(scopes=BUNDLES["full-access"] - {missing})
        found = await findings(server.base_url, key)
        assert states(found) == {"stream": "warning"}
        assert missing in found["stream"].text
        assert await left_over(server) == (0, set())


async def test_a_wrong_key_is_said(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server:
        found = await findings(server.base_url, "fm_test_wrong")
        assert states(found) == {"stream": "problem"}


async def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    found = await findings(url, "fm_test_any")
    assert states(found) == {"server.reach": "problem"}
    assert list(found) == ["server.reach"]


async def test_somebody_else_answers(tmp_path: Path) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        found = await findings(f"http://127.0.0.1:{port}", None)
    assert "does not answer as FlowMaestro does" in found["server.reach"].text


async def test_a_url_that_is_none() -> None:
    assert states(await findings("ftp://example.com", None)) == {"server.reach": "problem"}


async def test_tls_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with (
        live_server(tmp_path) as server,
        running_proxy(Proxy(server.base_url), context) as proxy,
    ):
        found = await findings(proxy.base_url, server.key)
    assert states(found) == {"server.http_version": "warning"}
    assert found["server.tls"].text.startswith("TLSv1")
