"""What every database must do with executions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flowmaestro.storage import (
    ExecutionExists,
    Idempotency,
    IdempotencyMismatch,
    Storage,
    UnknownExecution,
    UnknownWorkflow,
    WorkflowVersion,
)
from tests.support.storage import MOMENT, completed, create_execution, new_execution, started


async def test_a_new_execution_is_pending_and_keeps_what_it_was_given(storage: Storage) -> None:
    inputs = {"url": "http://é.example/🚀", "list": [1, 2.5, None, True], "": {"a": {}}}
    new = new_execution(storage, inputs=inputs, definitions={"wf_1": 3, "wf_2": 1})
    execution, created = await storage.executions.create(new)
    assert created
    assert execution == await storage.executions.get(new.id, "ws")
    assert (execution.status, execution.inputs, execution.definitions) == (
        "pending",
        inputs,
        {"wf_1": 3, "wf_2": 1},
    )
    assert (execution.created_at, execution.started_at, execution.outputs) == (MOMENT, None, None)


async def test_another_workspaces_execution_is_unknown(storage: Storage) -> None:
    execution = await create_execution(storage, workspace="theirs")
    with pytest.raises(UnknownExecution):
        await storage.executions.get(execution.id, "ours")
    with pytest.raises(UnknownExecution):
        await storage.executions.get("exec_unknown")
    assert (await storage.executions.list("ours")).items == []


async def test_an_id_is_taken_once(storage: Storage) -> None:
    execution = await create_execution(storage)
    with pytest.raises(ExecutionExists):
        await storage.executions.create(new_execution(storage, id=execution.id))


async def test_a_repeated_request_gets_the_first_ones_execution(storage: Storage) -> None:
    idempotency = Idempotency("key", "fingerprint")
    outcomes = await asyncio.gather(
        *(
            storage.executions.create(new_execution(storage, idempotency=idempotency))
            for _ in range(10)
        )
    )
    assert len({execution.id for execution, _ in outcomes}) == 1
    assert sum(created for _, created in outcomes) == 1
    assert (await storage.executions.list("ws")).total_count == 1
    _, created = await storage.executions.create(
        new_execution(storage, workspace="another", idempotency=idempotency)
    )
    assert created


async def test_a_repeated_key_with_another_request_is_refused(storage: Storage) -> None:
    await create_execution(storage, idempotency=Idempotency("key", "one"))
    with pytest.raises(IdempotencyMismatch) as caught:
        await storage.executions.create(
            new_execution(storage, idempotency=Idempotency("key", "another"))
        )
    assert caught.value.key == "key"
    assert (await storage.executions.list("ws")).total_count == 1


async def test_an_idempotency_key_is_forgotten_after_a_day(storage: Storage) -> None:
    first = await create_execution(storage, idempotency=Idempotency("key", "one"))
    day = timedelta(hours=24)
    again, created = await storage.executions.create(
        new_execution(storage, idempotency=Idempotency("key", "one"), created_at=MOMENT + day)
    )
    assert (again.id, created) == (first.id, False)
    _, created = await storage.executions.create(
        new_execution(
            storage,
            idempotency=Idempotency("key", "another"),
            created_at=MOMENT + day + timedelta(milliseconds=1),
        )
    )
    assert created


async def test_lists_newest_first_in_pages(storage: Storage) -> None:
    ids = [(await create_execution(storage)).id for _ in range(5)]
    page = await storage.executions.list("ws", page=1, per_page=2)
    assert [execution.id for execution in page.items] == [ids[4], ids[3]]
    assert (page.page, page.per_page, page.total_count) == (1, 2, 5)
    page = await storage.executions.list("ws", page=3, per_page=2)
    assert [execution.id for execution in page.items] == [ids[0]]
    page = await storage.executions.list("ws", page=4, per_page=2)
    assert (page.items, page.total_count) == ([], 5)
    with pytest.raises(ValueError, match="page"):
        await storage.executions.list("ws", page=0)


async def test_lists_by_workflow_and_status(storage: Storage) -> None:
    one = await create_execution(storage, workflow_id="wf_1")
    two = await create_execution(storage, workflow_id="wf_2")
    three = await create_execution(storage, workflow_id="wf_2")
    await storage.log.append(two.id, [started(two.id)])

    async def ids(**filters: str) -> list[str]:
        page = await storage.executions.list("ws", **filters)  # type: ignore[arg-type]
        assert page.total_count == len(page.items)
        return [execution.id for execution in page.items]

    assert await ids(workflow_id="wf_2") == [three.id, two.id]
    assert await ids(status="pending") == [three.id, one.id]
    assert await ids(status="running", workflow_id="wf_2") == [two.id]
    assert await ids(status="completed") == []


async def test_unfinished_executions_come_oldest_first_in_pages(storage: Storage) -> None:
    ids = [(await create_execution(storage, workspace=f"ws{number % 2}")).id for number in range(6)]
    await storage.log.append(ids[1], [started(ids[1]), completed(ids[1])])
    await storage.log.append(ids[2], [started(ids[2])])
    left = [ids[0], *ids[2:]]
    assert [execution.id for execution in await storage.executions.unfinished()] == left
    page = await storage.executions.unfinished(after=ids[2], limit=2)
    assert [execution.id for execution in page] == ids[3:5]
    # The execution that a page ended with may finish before the next page is read.
    await storage.log.append(ids[4], [completed(ids[4])])
    page = await storage.executions.unfinished(after=ids[4], limit=2)
    assert [execution.id for execution in page] == [ids[5]]
    assert await storage.executions.count_unfinished() == 4


async def test_an_execution_keeps_the_versions_it_began_with(storage: Storage) -> None:
    await storage.workflows.create("ws", {"v": 1}, name="one", id="wf_1")
    await storage.workflows.create("ws", {"v": 10}, name="two", id="wf_2")
    await storage.workflows.replace("ws", "wf_1", {"v": 2}, name="one")
    execution = await create_execution(storage, definitions={"wf_1": 1, "wf_2": 1})
    await storage.workflows.delete("ws", "wf_2")
    assert await storage.executions.definitions(execution.id) == {
        "wf_1": WorkflowVersion("wf_1", 1, {"v": 1}),
        "wf_2": WorkflowVersion("wf_2", 1, {"v": 10}),
    }
    with pytest.raises(UnknownExecution):
        await storage.executions.definitions("exec_unknown")


async def test_a_pinned_version_that_is_missing_is_named(storage: Storage) -> None:
    execution = await create_execution(storage, definitions={"wf_gone": 4})
    with pytest.raises(UnknownWorkflow) as caught:
        await storage.executions.definitions(execution.id)
    assert (caught.value.workflow_id, caught.value.version) == ("wf_gone", 4)


async def test_a_repeated_request_can_be_looked_up(storage: Storage) -> None:
    idempotency = Idempotency("key", "fingerprint")
    assert await storage.executions.find_repeated("ws", idempotency) is None
    execution, _ = await storage.executions.create(
        new_execution(
            storage, workspace="ws", idempotency=idempotency, created_at=datetime.now(UTC)
        )
    )
    found = await storage.executions.find_repeated("ws", idempotency)
    assert found is not None
    assert found.id == execution.id
    assert await storage.executions.find_repeated("other", idempotency) is None
    with pytest.raises(IdempotencyMismatch):
        await storage.executions.find_repeated("ws", Idempotency("key", "another"))
