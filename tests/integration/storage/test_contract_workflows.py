"""What every database must do with workflows."""

from __future__ import annotations

import asyncio

import pytest

from flowmaestro.storage import Storage, UnknownWorkflow, WorkflowExists, WorkflowVersion


async def test_a_workflow_begins_with_version_one(storage: Storage) -> None:
    document = {"name": "é", "nodes": {"a": {"type": "wait", "config": {"x": [1, None]}}}}
    workflow = await storage.workflows.create(
        "ws", document, name="Näme", input_schema={"type": "object"}
    )
    assert workflow.id.startswith("wf_")
    assert (workflow.version, workflow.name, workflow.document) == (1, "Näme", document)
    assert workflow.input_schema == {"type": "object"}
    assert workflow.created_at == workflow.updated_at
    assert await storage.workflows.get("ws", workflow.id) == workflow


async def test_replacing_adds_a_version_and_keeps_the_old_one(storage: Storage) -> None:
    first = await storage.workflows.create("ws", {"v": 1}, name="one", id="mine")
    second = await storage.workflows.replace("ws", "mine", {"v": 2}, name="two")
    assert (second.version, second.name, second.document) == (2, "two", {"v": 2})
    assert second.created_at == first.created_at <= second.updated_at
    assert await storage.workflows.version("ws", "mine", 1) == WorkflowVersion("mine", 1, {"v": 1})
    assert await storage.workflows.version("ws", "mine", 2) == WorkflowVersion("mine", 2, {"v": 2})
    with pytest.raises(UnknownWorkflow):
        await storage.workflows.version("ws", "mine", 3)


async def test_concurrent_replacements_each_get_a_version(storage: Storage) -> None:
    await storage.workflows.create("ws", {}, name="one", id="mine")
    workflows = await asyncio.gather(
        *(storage.workflows.replace("ws", "mine", {"n": n}, name="one") for n in range(10))
    )
    assert sorted(workflow.version for workflow in workflows) == list(range(2, 12))


async def test_an_id_is_the_workspace_s_own(storage: Storage) -> None:
    ours = await storage.workflows.create("ours", {"of": "ours"}, name="one", id="same")
    with pytest.raises(WorkflowExists, match="same"):
        await storage.workflows.create("ours", {}, name="one", id="same")
    with pytest.raises(UnknownWorkflow):
        await storage.workflows.replace("theirs", "same", {}, name="one")
    theirs = await storage.workflows.create("theirs", {"of": "theirs"}, name="two", id="same")
    assert theirs.version == 1
    theirs = await storage.workflows.replace("theirs", "same", {"of": "theirs, 2"}, name="three")
    assert (theirs.version, theirs.document) == (2, {"of": "theirs, 2"})
    assert await storage.workflows.get("ours", "same") == ours
    assert (await storage.workflows.version("theirs", "same", 1)).document == {"of": "theirs"}
    with pytest.raises(UnknownWorkflow):
        await storage.workflows.version("ours", "same", 2)
    await storage.workflows.delete("theirs", "same")
    assert await storage.workflows.get("ours", "same") == ours
    with pytest.raises(UnknownWorkflow):
        await storage.workflows.get("theirs", "same")


@pytest.mark.parametrize("by_creating", [True, False])
async def test_a_deleted_workflow_comes_back_as_its_next_version(
    storage: Storage, by_creating: bool
) -> None:
    await storage.workflows.create("ws", {"v": 1}, name="one", id="mine")
    await storage.workflows.delete("ws", "mine")
    await storage.workflows.require_replaceable("ws", "mine")
    if by_creating:
        back = await storage.workflows.create("ws", {"v": 2}, name="two", id="mine")
    else:
        back = await storage.workflows.replace("ws", "mine", {"v": 2}, name="two")
    assert (back.version, back.name, back.document) == (2, "two", {"v": 2})
    assert await storage.workflows.get("ws", "mine") == back
    assert await storage.workflows.ids("ws") == {"mine"}
    assert (await storage.workflows.version("ws", "mine", 1)).document == {"v": 1}
    with pytest.raises(WorkflowExists):
        await storage.workflows.create("ws", {}, name="one", id="mine")


async def test_of_many_that_bring_a_workflow_back_by_creating_it_one_does(
    storage: Storage,
) -> None:
    await storage.workflows.create("ws", {}, name="one", id="mine")
    await storage.workflows.delete("ws", "mine")
    outcomes = await asyncio.gather(
        *(storage.workflows.create("ws", {"n": n}, name="one", id="mine") for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, WorkflowExists) for outcome in outcomes) == 4
    assert (await storage.workflows.get("ws", "mine")).version == 2


async def test_a_deleted_workflow_is_gone_but_its_versions_stay(storage: Storage) -> None:
    await storage.workflows.create("ws", {"v": 1}, name="one", id="mine")
    await storage.workflows.delete("ws", "mine")
    for call in (
        storage.workflows.get("ws", "mine"),
        storage.workflows.delete("ws", "mine"),
    ):
        with pytest.raises(UnknownWorkflow):
            await call
    assert (await storage.workflows.list("ws")).total_count == 0
    assert (await storage.workflows.version("ws", "mine", 1)).document == {"v": 1}


async def test_another_workspaces_workflow_is_unknown(storage: Storage) -> None:
    await storage.workflows.create("theirs", {}, name="one", id="mine")
    for call in (
        storage.workflows.get("ours", "mine"),
        storage.workflows.require_replaceable("ours", "mine"),
        storage.workflows.replace("ours", "mine", {}, name="one"),
        storage.workflows.delete("ours", "mine"),
    ):
        with pytest.raises(UnknownWorkflow):
            await call
    assert (await storage.workflows.get("theirs", "mine")).version == 1


async def test_lists_newest_first_in_pages_at_their_newest_version(storage: Storage) -> None:
    for number in range(5):
        await storage.workflows.create("ws", {"n": number}, name="one", id=f"w{number}")
    await storage.workflows.create("another", {}, name="one", id="other")
    await storage.workflows.replace("ws", "w3", {"n": 33}, name="three")
    await storage.workflows.delete("ws", "w1")
    page = await storage.workflows.list("ws", page=1, per_page=3)
    assert [workflow.id for workflow in page.items] == ["w4", "w3", "w2"]
    assert [workflow.document["n"] for workflow in page.items] == [4, 33, 2]
    assert page.total_count == 4
    page = await storage.workflows.list("ws", page=2, per_page=3)
    assert [workflow.id for workflow in page.items] == ["w0"]
    assert await storage.workflows.ids("ws") == {"w0", "w2", "w3", "w4"}


async def test_a_refused_write_does_not_hurt_those_beside_it(storage: Storage) -> None:
    outcomes = await asyncio.gather(
        *(storage.workflows.create("ws", {}, name="one", id=f"w{n % 5}") for n in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, WorkflowExists) for outcome in outcomes) == 5
    assert (await storage.workflows.list("ws")).total_count == 5


async def test_a_document_that_is_no_json_is_refused_alone(storage: Storage) -> None:
    outcomes = await asyncio.gather(
        storage.workflows.create("ws", {"n": float("nan")}, name="one", id="bad"),
        storage.workflows.create("ws", {}, name="one", id="good"),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], ValueError)
    assert await storage.workflows.ids("ws") == {"good"}
