"""Every definition in the documentation is run on a real engine, and gives what its page shows."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.engine import EngineOptions, LocalEngine
from flowmaestro.events import ExecutionCompleted, ExecutionFailed
from flowmaestro.nodes import AllowedNetworks, HttpOptions, Provider, Registry, Services
from flowmaestro.storage import Storage
from flowmaestro.workflow import InvalidDefinition, validate
from flowmaestro.workflow.documents import Format, parse_document
from tests.support.docs_matching import explain, matches
from tests.support.docs_pages import ROOT, Block, blocks_of, pages
from tests.support.engine import Workbench
from tests.support.http_server import ReceivedRequest, http_server, json_response
from tests.support.model_server import Says, model_server

EXAMPLE_HOST = "https://api.example.com"
SECRETS = {"SHOP_TOKEN": "not-a-real-token"}
NODES = ROOT / "examples" / "text_nodes.py"


@dataclass
class Example:
    """A definition with what its page says of it."""

    definition: Block
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: Block | None = None
    error: Block | None = None


def _examples(page: Path) -> list[Example]:
    found: list[Example] = []
    for block in blocks_of(page):
        if block.role in ("workflow", "refused"):
            found.append(Example(block))
        elif block.role == "inputs":
            found[-1].inputs = json.loads(block.text)
        elif block.role == "outputs":
            found[-1].outputs = block
        elif block.role == "error":
            found[-1].error = block
    return found


EXAMPLES = [(page, example) for page in pages() for example in _examples(page)]


def _document(block: Block) -> dict[str, Any]:
    format_: Format = "json" if block.language == "json" else "yaml"
    document = parse_document(block.text, format_)
    assert isinstance(document, dict), block.place
    return document


async def _shop(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """What the pages' ``https://api.example.com`` answers."""
    status: int = 404
    answer: dict[str, Any] = {"error": "no such path"}
    if request.path == "/orders/17":
        authorised = request.headers.get("authorization") == f"Bearer {SECRETS['SHOP_TOKEN']}"
        status, answer = (200, {"id": 17, "total": 42.5}) if authorised else (401, {})
    elif request.path == "/busy":
        status, answer = 503, {"error": "busy"}
    writer.write(json_response(answer, status))


@asynccontextmanager
async def _workbench(folder: Path, example: Example) -> AsyncIterator[Workbench]:
    """The engine that the pages assume: a model, secrets, and the node types of ``examples/``."""
    spec = importlib.util.spec_from_file_location("text_nodes", NODES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    answer = "billing" if "router" in example.definition.text else "Paris."
    async with model_server(Says(answer)) as model:
        services = Services(
            providers={"openai": model.provider, "local": _local(model.provider)},
            http=HttpOptions(allowed_networks=AllowedNetworks.parse(["loopback"])),
        )
        registry = Registry.builtin(services).with_module(module)
        async with await Storage.open(str(folder / "docs.db")) as storage:
            engine = LocalEngine(storage, registry, EngineOptions(secrets=SECRETS))
            await engine.start()
            try:
                yield Workbench(storage, engine, registry)
            finally:
                await engine.drain(grace_seconds=0)
                await services.aclose()


def _local(provider: Provider) -> Provider:
    return Provider(base_url=provider.base_url)


@pytest.mark.parametrize(
    ("page", "example"),
    [pytest.param(page, example, id=example.definition.place) for page, example in EXAMPLES],
)
async def test_a_definition_does_what_its_page_shows(
    page: Path, example: Example, tmp_path: Path
) -> None:
    block = example.definition
    async with _workbench(tmp_path, example) as bench, http_server(_shop) as shop:
        if block.role == "refused":
            assert example.error is not None, f"{block.place}: say why it is refused"
            with pytest.raises(InvalidDefinition) as refused:
                validate(_document(block), bench.registry.catalog)
            shown = example.error.text
            assert matches(shown, str(refused.value)), explain(shown, str(refused.value))
            return

        for other in _examples(page):
            document = _document(other.definition)
            if other.outputs is None and other.error is None and "id" in document:
                await bench.push(document, document.pop("id"))
        if example.outputs is None and example.error is None:
            return
        document = json.loads(json.dumps(_document(block)).replace(EXAMPLE_HOST, shop.url))
        *_, last = await bench.run(document, example.inputs)
        if example.error is not None:
            assert isinstance(last, ExecutionFailed), f"{block.place}: {last!r}"
            real = last.error.replace(shop.url, EXAMPLE_HOST)
            assert matches(example.error.text, real), explain(example.error.text, real)
        if example.outputs is not None:
            assert isinstance(last, ExecutionCompleted), f"{block.place}: {last!r}"
            shown, real = example.outputs.text, json.dumps(last.outputs, ensure_ascii=False)
            assert json.loads(shown) == last.outputs, explain(shown, real)


def test_every_builtin_node_type_has_an_example_that_runs() -> None:
    used = {
        node["type"]
        for _, example in EXAMPLES
        if example.outputs is not None and example.definition.page == "workflows.md"
        for node in _nodes(_document(example.definition))
    }
    assert used >= Registry.builtin(Services()).keys() - {"llm"}


def _nodes(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in document["nodes"].values():
        found.append(node)
        if isinstance(node.get("config", {}).get("body"), dict):
            found += _nodes(node["config"]["body"])
    return found
