"""The page's files: where they are, what browsers may do with them, and what is there without."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx2
import pytest

from flowmaestro.api import web
from tests.support.api import assert_error
from tests.support.server import LiveServer, live_server

HTML = "<!doctype html><title>Built</title>"
SCRIPT = b"console.log(1)"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a build leaves it."""
    folder = tmp_path / "web"
    assets = folder / "assets"
    assets.mkdir(parents=True)
    (folder / "index.html").write_text(HTML)
    (folder / "secret.js").write_text("not an asset")
    (assets / "index-abc.js").write_bytes(SCRIPT)
    (assets / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "icon-abc.svg").write_text("<svg/>")
    monkeypatch.setattr(web, "WEB_FOLDER", folder)
    return folder


@pytest.fixture
def missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WEB_FOLDER", tmp_path / "nothing")


@pytest.mark.parametrize("path", ["/", "/executions/exec_1", "/executions/%3Cscript%3E"])
@pytest.mark.usefixtures("built")
async def test_every_page_is_the_same_file_for_any_key_or_none(
    server: LiveServer, path: str
) -> None:
    async with server.client(key=None) as nobody:
        response = await nobody.get(path)
        head = await nobody.head(path)
    assert (response.status_code, response.text) == (200, HTML)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert head.status_code == 200


@pytest.mark.usefixtures("built")
async def test_the_page_may_run_its_own_files_and_nothing_else(client: httpx2.AsyncClient) -> None:
    headers = (await client.get("/")).headers
    policy = dict(
        directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.usefixtures("built")
async def test_its_files_are_kept_for_good_and_come_compressed(client: httpx2.AsyncClient) -> None:
    plain = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    small = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "br, gzip"})
    for response in (plain, small):
        assert response.content == SCRIPT
        assert response.headers["Content-Type"].startswith("text/javascript")
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in response.headers["Vary"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    icon = await client.get("/assets/icon-abc.svg")
    assert icon.headers["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize(
    "name",
    [
        "gone.js",
        "index-abc.js.gz",
        "..%2fsecret.js",
        "..%5csecret.js",
        "%2e%2e%2fsecret.js",
        "%00.js",
        "a" * 300 + ".js",
    ],
)
@pytest.mark.usefixtures("built")
async def test_nothing_but_its_files_is_there(client: httpx2.AsyncClient, name: str) -> None:
    assert_error(await client.get(f"/assets/{name}"), "resource_not_found")


@pytest.mark.parametrize("path", ["/", "/executions/exec_1"])
@pytest.mark.usefixtures("missing")
async def test_without_a_build_the_server_says_how_to_get_the_page(
    client: httpx2.AsyncClient, path: str
) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "make web" in response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert_error(await client.get("/assets/index-abc.js"), "resource_not_found")
    assert (await client.get("/api/v1/workflows")).status_code == 200


@pytest.mark.usefixtures("built")
async def test_settings_switch_it_off(tmp_path: Path) -> None:
    async with live_server(tmp_path, web_enabled=False) as server, server.client() as client:
        for path in ("/", "/executions/exec_1", "/assets/index-abc.js"):
            assert_error(await client.get(path), "resource_not_found")
