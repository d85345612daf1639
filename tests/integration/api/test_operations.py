from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest
from pydantic import TypeAdapter
from starlette.types import ASGIApp

from flowmaestro.api.errors import STATUS_OF_CODE
from flowmaestro.api.web import ASSETS_PATH, PAGE_PATHS
from flowmaestro.events import EVENT_TYPES, LoggedEvent
from flowmaestro.main import Settings, create_app
from flowmaestro.storage import Storage, StorageUnavailable
from tests.support.api import assert_error, assert_meta, create, execute, finish, greeting
from tests.support.server import LiveServer, create_key, database_url, live_server


@pytest.mark.parametrize("prefix", ["", "/api/v1", "/v1"])
async def test_health_needs_no_key(server: LiveServer, prefix: str) -> None:
    async with server.client(None) as anonymous:
        for path in ("healthz", "readyz"):
            response = await anonymous.get(f"{prefix}/{path}")
            assert response.status_code == 200
            assert_meta(response)


async def test_not_ready_while_the_storage_does_not_answer(
    server: LiveServer, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing() -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(server.parts.storage, "check", failing)
    response = await client.get("/readyz")
    assert "disk is full" in assert_error(response, "service_unavailable")["message"]
    assert int(response.headers["Retry-After"]) > 0
    assert (await client.get("/healthz")).status_code == 200


async def test_while_shutting_down_it_is_not_ready_and_takes_no_work(
    server: LiveServer, client: httpx2.AsyncClient
) -> None:
    await create(client, greeting(id="hello"))
    server.parts.lifecycle.shutting_down = True
    assert_error(await client.get("/readyz"), "service_unavailable")
    refused = await client.post("/v1/workflows/hello/execute", json={"inputs": {"name": "Ada"}})
    assert_error(refused, "service_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await client.get("/v1/executions")).status_code == 200


async def test_metrics_count_requests_and_events_with_bounded_labels(
    client: httpx2.AsyncClient,
) -> None:
    await create(client, greeting(id="hello"))
    execution_id = await execute(client, "hello", name="Ada")
    await finish(client, execution_id)
    await client.get("/v1/workflows/none-such")
    await client.get("/nothing/here")
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    text = response.text
    assert 'flowmaestro_events_appended_total{type="execution:completed"} 1.0' in text
    assert 'route="/v1/workflows/{workflow_id}",status="404"' in text
    assert 'route="unmatched",status="404"' in text
    assert "flowmaestro_active_executions 0.0" in text
    assert "flowmaestro_streams_level 0.0" in text
    assert "flowmaestro_streams_opened_total 1.0" in text
    for unbounded in (execution_id, "none-such", "/nothing", "hello"):
        assert unbounded not in text


async def test_two_servers_in_a_process_do_not_share_metrics(
    tmp_path: Path, client: httpx2.AsyncClient
) -> None:
    await client.get("/healthz")
    folder = tmp_path / "other"
    folder.mkdir()
    async with live_server(folder) as other, other.client() as fresh:
        assert "/healthz" not in (await fresh.get("/metrics")).text


async def test_what_is_switched_off_is_not_there(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, metrics_enabled=False, docs_enabled=False) as server,
        server.client() as client,
    ):
        for path in ("/metrics", "/openapi.json", "/docs", "/v1/metrics"):
            assert_error(await client.get(path), "resource_not_found")


async def test_retention_removes_old_events_and_says_so_to_late_readers(tmp_path: Path) -> None:
    async with (
        live_server(tmp_path, retention_max_events=1, retention_interval_seconds=0.01) as server,
        server.client() as client,
    ):
        execution_id = await execute(client, await create(client, greeting()), name="Ada")
        path = f"/v1/executions/{execution_id}/events"
        response = await client.get(path)
        while response.status_code == 200:
            response = await client.get(path)
        details = assert_error(response, "cursor_expired")["details"]
        kept = await client.get(path, headers={"Last-Event-ID": str(details["trimmed_through"])})
        assert "event: execution:completed" in kept.text


async def test_it_runs_on_any_asgi_server_with_a_lifespan(tmp_path: Path) -> None:
    async with embedded(create_app(Settings(database=database_url(tmp_path)))) as anonymous:
        assert (await anonymous.get("/readyz")).status_code == 200


async def test_the_embedded_server_has_the_secrets_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWMAESTRO_DATABASE", database_url(tmp_path))
    monkeypatch.setenv("FLOWMAESTRO_SECRET_TOKEN", "hunter2hunter2")
    async with embedded(create_app()) as client:
        async with await Storage.open(database_url(tmp_path)) as storage:
            client.headers["X-API-Key"] = (await create_key(storage))[0]
        length = "{{ secrets.TOKEN | length }}"
        definition = {
            "name": "n",
            "nodes": {"a": {"type": "transform", "config": {"value": length}}},
        }
        execution = await finish(client, await execute(client, await create(client, definition)))
    assert execution["outputs"] == {"a": {"value": 14}}, execution


@asynccontextmanager
async def embedded(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Run *app* under no server at all, and yield a client of it."""
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    outgoing: asyncio.Queue[Any] = asyncio.Queue()

    async def live() -> None:
        await app({"type": "lifespan"}, incoming.get, outgoing.put)

    lifespan = asyncio.create_task(live())
    await incoming.put({"type": "lifespan.startup"})
    assert await outgoing.get() == {"type": "lifespan.startup.complete"}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await incoming.put({"type": "lifespan.shutdown"})
    assert await outgoing.get() == {"type": "lifespan.shutdown.complete"}
    await lifespan


# The description.


@pytest.fixture
async def document(client: httpx2.AsyncClient) -> dict[str, Any]:
    response = await client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    found: dict[str, Any] = response.json()
    return found


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def resolve(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/"), reference
    found: Any = document
    for part in reference[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


async def test_every_reference_resolves(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    references = [found["$ref"] for found in walk(document) if "$ref" in found]
    mappings = [found["mapping"] for found in walk(document) if "mapping" in found]
    for reference in (*references, *(one for found in mappings for one in found.values())):
        assert resolve(document, reference)


async def test_nothing_refers_to_definitions_of_its_own(document: dict[str, Any]) -> None:
    assert not [found for found in walk(document) if "$defs" in found]


async def test_operation_ids_are_unique_and_every_route_is_documented(
    server: LiveServer, document: dict[str, Any]
) -> None:
    documented = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    ids = [operation["operationId"] for operation in documented.values()]
    assert len(ids) == len(set(ids))
    routes = {
        (method, route.path)  # type: ignore[attr-defined]
        for route in server.parts.app.routes
        for method in route.methods  # type: ignore[attr-defined]
        if method != "HEAD" and not route.path.startswith("/v1")  # type: ignore[attr-defined]
    }
    operations = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"}
    needed = {
        (method, path)
        for method, path in routes
        if path.removeprefix("/api/v1") not in operations and path not in (*PAGE_PATHS, ASSETS_PATH)
    } | {("GET", path) for path in operations}
    assert needed == set(documented)


async def test_every_route_with_a_key_documents_its_errors_and_headers(
    document: dict[str, Any],
) -> None:
    statuses = {str(status) for status in STATUS_OF_CODE.values()}
    for path, methods in document["paths"].items():
        if not path.startswith("/api/v1"):
            continue
        for operation in methods.values():
            responses = operation["responses"]
            assert {"401", "403", "429", "500", "503"} <= set(responses), path
            assert "422" not in responses
            if "{" in path:
                assert "404" in responses
            if "requestBody" in operation:
                assert {"400", "413"} <= set(responses)
            for status, response in responses.items():
                assert "X-Request-Id" in response["headers"]
                if status in statuses:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}
            ticket: list[Any] = [{"Ticket": []}] if path.endswith("/events") else []
            key, bearer, *others = operation["security"]
            assert key["ApiKey"] == bearer["Bearer"] != []
            assert others == ticket
            parameters = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert parameters == {part[1:-1] for part in path.split("/") if part.startswith("{")}


async def test_every_link_leads_to_an_operation_and_its_parameters(
    document: dict[str, Any],
) -> None:
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    links = [found["links"] for found in walk(document["paths"]) if "links" in found]
    assert {name for one in links for name in one} >= {
        "get_workflow",
        "get_execution",
        "get_events",
    }
    for link in (link for one in links for link in one.values()):
        parameters = operations[link["operationId"]]["parameters"]
        assert set(link["parameters"]) <= {parameter["name"] for parameter in parameters}


async def test_the_stream_is_described_with_its_formats_and_every_event(
    document: dict[str, Any],
) -> None:
    operation = document["paths"]["/api/v1/executions/{execution_id}/events"]["get"]
    success = operation["responses"]["200"]
    assert set(success["content"]) == {
        "text/event-stream",
        "application/x-ndjson",
        "application/json",
    }
    assert {"204", "400", "404", "406", "410"} <= set(operation["responses"])
    names = {(p["in"], p["name"]) for p in operation["parameters"]}
    assert {
        ("header", "Last-Event-ID"),
        *(("query", n) for n in ("last_event_id", "types", "include", "follow", "limit", "wait")),
    } <= names
    event = document["components"]["schemas"]["StreamEvent"]
    assert event["discriminator"]["propertyName"] == "type"
    assert set(event["discriminator"]["mapping"]) == {"connected", *EVENT_TYPES}
    assert len(event["oneOf"]) == len(get_args(LoggedEvent)) + 1
    for kind, reference in event["discriminator"]["mapping"].items():
        schema = resolve(document, reference)
        assert schema["properties"]["type"]["const"] == kind
        assert {"type", "execution_id", "timestamp"} <= set(schema["required"])


async def test_the_schemas_of_what_is_sent_are_valid_json_schema(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert isinstance(schema, dict), name
        assert schema.keys() & {"type", "oneOf", "anyOf", "enum", "$ref"}, name


async def test_the_document_survives_json(document: dict[str, Any]) -> None:
    assert TypeAdapter(dict[str, Any]).validate_json(json.dumps(document)) == document


async def test_the_docs_page_stands_alone(client: httpx2.AsyncClient) -> None:
    response = await client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    page = response.text
    assert "/api/v1/executions/{execution_id}/events" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "default-src 'none'" in response.headers["content-security-policy"]
