"""From stored definitions to graphs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flowmaestro.engine.definitions import LARGE_NODES, Definitions
from flowmaestro.storage import Storage

NODE = {"type": "transform", "config": {"value": 1}}


def many(count: int) -> dict[str, Any]:
    return {f"n{number}": NODE for number in range(count)}


def in_a_loop(nodes: dict[str, Any]) -> dict[str, Any]:
    return {"loop": {"type": "loop", "config": {"items": [], "body": {"nodes": nodes}}}}


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with await Storage.open(str(tmp_path / "engine.db")) as storage:
        yield storage


async def turns_of_the_loop(storage: Storage, nodes: dict[str, Any]) -> int:
    """Make a graph, and count how often others get their turn meanwhile."""
    document = {"name": "n", "nodes": nodes, "edges": []}
    workflow = await storage.workflows.create("ws", document, name="n")
    task = asyncio.create_task(Definitions(storage.workflows).pin("ws", workflow))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert task.result() == {workflow.id: 1}
    return turns


async def test_the_event_loop_goes_on_while_a_large_graph_is_made(storage: Storage) -> None:
    assert await turns_of_the_loop(storage, many(LARGE_NODES + 1)) > 1
    assert await turns_of_the_loop(storage, in_a_loop(in_a_loop(many(LARGE_NODES)))) > 1


async def test_a_small_graph_takes_no_thread(storage: Storage) -> None:
    assert await turns_of_the_loop(storage, many(LARGE_NODES)) == 1


async def test_a_large_graph_is_made_once_for_all_who_ask_for_it(storage: Storage) -> None:
    document = {"name": "n", "nodes": many(LARGE_NODES + 1), "edges": []}
    await storage.workflows.create("ws", document, name="n", id="mine")
    definitions = Definitions(storage.workflows)
    loaded = await asyncio.gather(*(definitions.load("ws", {"mine": 1}) for _ in range(5)))
    assert len({id(graphs["mine"]) for graphs in loaded}) == 1
