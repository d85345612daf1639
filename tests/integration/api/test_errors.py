"""Everything that is wrong with a request is said in one shape."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from flowmaestro.api.bodies import YAML_MEDIA_TYPES
from tests.support.api import assert_error, assert_meta, create, greeting
from tests.support.server import LiveServer

JSON_HEADERS = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v1",
        "/api/v1/nothing",
        "/v2/workflows",
        "/api/v1/workflows/",
        "/%00",
        "/%ff",
        "/nothing//",
    ],
)
async def test_an_unknown_path_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    assert_error(await client.get(path), "resource_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/workflows", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/v1/workflows/wf_x", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("GET", "/v1/workflows/wf_x/execute", "OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("BREW", "/v1/executions", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_does_not_have_is_405_with_those_it_has(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)
    if method == "BREW":  # no method that HTTP knows: refused before it is a request
        assert_error(response, "validation_error", 400)
        return
    error = assert_error(response, "validation_error", 405)
    assert response.headers["Allow"] == allowed
    assert error["details"]["allowed"] == allowed.split(", ")


async def test_options_tells_the_methods(client: httpx2.AsyncClient) -> None:
    response = await client.options("/api/v1/workflows")
    assert response.status_code == 204
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "X-Request-Id" in response.headers


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "query.page"),
        ("page=-1", "query.page"),
        ("page=two", "query.page"),
        ("page=1e3", "query.page"),
        ("page=99999999999999999999999", "query.page"),
        ("per_page=0", "query.per_page"),
        ("per_page=101", "query.per_page"),
        ("per_page=", "query.per_page"),
        ("status=done", "query.status"),
    ],
)
async def test_a_bad_query_value_is_named(
    client: httpx2.AsyncClient, query: str, field: str
) -> None:
    error = assert_error(await client.get(f"/v1/executions?{query}"), "validation_error")
    assert error["details"]["field"] == field
    assert error["message"].startswith(field)
    assert "dictionary" not in error["message"]  # that is what Python calls an object


@pytest.mark.parametrize("path", ["/v1/workflows", "/v1/workflows/hello/execute"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "line 1, column 2"),
        (b'{\n  "inputs": {,}\n}', "line 2, column 14"),
        (b'{"inputs": NaN}', "NaN"),
        (b'{"inputs": {}, "inputs": {}}', "twice"),
        (b"[" * 100_000, "nest"),
        (b'{"inputs": ' * 10_000 + b"1" + b"}" * 10_000, "nest"),
        (b"\xff", "UTF-8"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'"text"', "object"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused_with_the_place(
    client: httpx2.AsyncClient, path: str, body: bytes, says: str
) -> None:
    await create(client, greeting(id="hello"))
    response = await client.post(path, content=body, headers=JSON_HEADERS)
    assert says in assert_error(response, "validation_error")["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": {}}, "body.input"),
        ({"inputs": {}, "extra": 1}, "body.extra"),
        ({"inputs": []}, "body.inputs"),
        ({"inputs": None}, "body.inputs"),
        ({"inputs": "name=Ada"}, "body.inputs"),
    ],
)
async def test_an_unknown_or_wrong_field_of_execute_is_named(
    client: httpx2.AsyncClient, body: dict[str, Any], field: str
) -> None:
    await create(client, greeting(id="hello"))
    error = assert_error(
        await client.post("/v1/workflows/hello/execute", json=body), "validation_error"
    )
    assert error["details"]["field"] == field
    assert error["message"].startswith(field)


@pytest.mark.parametrize(
    ("inputs", "path"),
    [({}, "inputs.name"), ({"name": 5}, "inputs.name"), ({"name": None}, "inputs.name")],
)
async def test_inputs_that_do_not_fit_the_workflow_are_named(
    client: httpx2.AsyncClient, inputs: dict[str, Any], path: str
) -> None:
    await create(client, greeting(id="hello"))
    response = await client.post("/v1/workflows/hello/execute", json={"inputs": inputs})
    problems = assert_error(response, "validation_error")["details"]["problems"]
    assert [problem["path"] for problem in problems] == [path]
    assert all(set(problem) == {"path", "message", "code"} for problem in problems)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "multipart/form-data; boundary=x",
        "nonsense",
    ],
)
async def test_another_content_type_is_refused_with_those_there_are(
    client: httpx2.AsyncClient, content_type: str
) -> None:
    response = await client.post(
        "/v1/workflows", content=b"{}", headers={"Content-Type": content_type}
    )
    error = assert_error(response, "validation_error")
    assert error["details"]["field"] == "header.Content-Type"
    assert error["details"]["allowed"] == ["application/json", *YAML_MEDIA_TYPES]


async def test_yaml_is_for_definitions_only(client: httpx2.AsyncClient) -> None:
    await create(client, greeting(id="hello"))
    response = await client.post(
        "/v1/workflows/hello/execute",
        content=b"inputs: {name: Ada}",
        headers={"Content-Type": "application/yaml"},
    )
    error = assert_error(response, "validation_error")
    assert error["details"]["allowed"] == ["application/json"]


async def test_a_compressed_body_is_refused(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/v1/workflows", content=b"{}", headers={**JSON_HEADERS, "Content-Encoding": "gzip"}
    )
    assert_error(response, "validation_error")


async def test_a_body_of_50_megabytes_is_refused_before_it_has_come(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post("/v1/workflows", content=b" " * 50_000_000, headers=JSON_HEADERS)
    assert assert_error(response, "payload_too_large")["details"] == {"limit_bytes": 2 * 1024**2}


async def test_an_endless_chunked_body_is_refused_when_it_passes_the_limit(
    server: LiveServer,
) -> None:
    reader, writer = await asyncio.open_connection(*server.base_url[7:].split(":"))
    writer.write(
        b"POST /v1/workflows HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"X-API-Key: " + server.key.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    async def send_without_end() -> None:
        while True:
            writer.write(chunk)
            await writer.drain()

    sending = asyncio.create_task(send_without_end())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert json.loads(await reader.readexactly(length))["error"]["code"] == "payload_too_large"
    await asyncio.wait([sending])  # the server closes the connection
    assert isinstance(sending.exception(), ConnectionError)
    writer.close()


async def test_a_client_that_waits_to_be_asked_is_never_asked_for_too_large_a_body(
    server: LiveServer,
) -> None:
    reader, writer = await asyncio.open_connection(*server.base_url[7:].split(":"))
    writer.write(
        b"POST /v1/workflows HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Content-Length: 50000000\r\n\r\n"
    )
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer
    writer.close()


async def test_an_unknown_id_is_not_found(client: httpx2.AsyncClient) -> None:
    for path in (
        "/v1/workflows/wf_none",
        "/v1/executions/exec_none",
        "/v1/executions/exec_none/events",
        "/v1/executions/%F0%9F%92%A9",
        "/v1/executions/" + "x" * 5000,
        "/v1/executions/a%00b",
    ):
        error = assert_error(await client.get(path), "resource_not_found")
        assert len(error["message"]) < 500


async def test_an_accept_header_that_fits_no_format_of_the_stream_is_406(
    client: httpx2.AsyncClient,
) -> None:
    workflow_id = await create(client, greeting())
    started = await client.post(
        f"/v1/workflows/{workflow_id}/execute", json={"inputs": {"name": "Ada"}}
    )
    response = await client.get(
        started.json()["data"]["events_url"], headers={"Accept": "application/xml"}
    )
    assert_error(response, "not_acceptable")


async def test_a_request_id_is_kept_when_it_is_well_formed(client: httpx2.AsyncClient) -> None:
    response = await client.get("/healthz", headers={"X-Request-Id": "trace-1.a:b_C"})
    assert response.headers["X-Request-Id"] == "trace-1.a:b_C"
    assert_meta(response)


@pytest.mark.parametrize("value", [b"", b"a b", b"x" * 129, b"<script>", b"a\xe9", b'"'])
async def test_a_request_id_that_is_not_well_formed_is_replaced(
    client: httpx2.AsyncClient, value: bytes
) -> None:
    response = await client.get("/healthz", headers=[(b"X-Request-Id", value)])
    assert response.headers["X-Request-Id"].startswith("req_")


async def test_what_is_no_http_gets_the_error_shape_too(server: LiveServer) -> None:
    smuggling = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    for status, request in (
        (400, b"nonsense\r\n\r\n"),
        (400, b"GET /healthz\r\n\r\n"),  # HTTP/0.9, which knows no head of a response
        (400, b"GET / HTTP/9.9\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: x\r\nX-Bad\x00: 1\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"),
        (400, b"POST / HTTP/1.1\r\nHost: x\r\n" + smuggling),
        (431, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n"),
        (414, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(500)) + b"\r\n"),
    ):
        reader, writer = await asyncio.open_connection(*server.base_url[7:].split(":"))
        writer.write(request)
        answer = await reader.read()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status), (request[:60], answer[:200])
        assert b"x-request-id: req_" in head.lower()
        assert json.loads(body)["error"]["code"] == "validation_error"
        writer.close()


async def test_the_server_does_not_name_its_software(client: httpx2.AsyncClient) -> None:
    assert "server" not in (await client.get("/healthz")).headers


async def test_a_failure_of_our_own_is_told_without_its_cause(
    server: LiveServer, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(server.parts.storage.workflows, "list", broken)
    error = assert_error(await client.get("/v1/workflows"), "internal_error")
    assert "secret" not in error["message"]


async def test_an_offer_to_speak_another_protocol_is_ignored(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for protocol in ("websocket", "h2c"):
        headers = {"Connection": "Upgrade", "Upgrade": protocol}
        assert (await client.get("/v1/executions", headers=headers)).status_code == 200
    assert "pgrade" not in caplog.text
    assert "pip install" not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "field", "says"),
    [
        ("GET", "/v1/workflows?pages=2", "pages", "there are page, per_page."),
        ("GET", "/v1/executions?workflowId=w", "workflowId", "there are page, per_page, status, "),
        ("GET", "/v1/executions?Status=failed", "Status", "no query parameter 'Status'"),
        ("GET", "/v1/executions?page=1&page=2", "page", "more than once"),
        ("GET", "/v1/workflows/w?version=2", "version", "it takes none."),
        ("POST", "/v1/workflows?dry_run=true", "dry_run", "it takes none."),
        ("POST", "/v1/workflows/w/execute?wait=1", "wait", "it takes none."),
        ("GET", "/v1/executions/e/events?last_event=5", "last_event", "last_event_id"),
        ("GET", "/v1/executions/e/events?last_event_id=5&last_event_id=6", "last_event_id", "once"),
        ("HEAD", "/v1/workflows?pages=2", "", ""),
    ],
)
async def test_a_query_parameter_that_there_is_not_is_named(
    client: httpx2.AsyncClient, method: str, path: str, field: str, says: str
) -> None:
    response = await client.request(method, path)
    if method == "HEAD":
        assert response.status_code == 400
        return
    error = assert_error(response, "validation_error")
    assert error["details"]["field"] == f"query.{field}"
    assert says in error["message"]


async def test_a_list_of_names_may_be_given_in_parts(client: httpx2.AsyncClient) -> None:
    path = "/v1/executions/exec_unknown/events?types=node:started&types=node:failed"
    assert_error(await client.get(path), "resource_not_found")


async def test_who_asks_how_the_server_is_may_add_to_the_address(
    client: httpx2.AsyncClient,
) -> None:
    for path in ("/healthz?probe=1", "/readyz?a=b&a=c", "/metrics?x", "/openapi.json?v=2"):
        assert (await client.get(path)).status_code == 200
