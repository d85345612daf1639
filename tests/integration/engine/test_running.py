"""What an execution does on a real engine with a real log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowmaestro import NodeContext, SyncNodeContext, function, node
from flowmaestro.engine import EngineOptions, InvalidInputs
from flowmaestro.storage import Idempotency
from tests.support.engine import WORKSPACE, of_type, python_node, types_of, workbench

MakeModule = Callable[..., ModuleType]


async def test_a_workflow_runs_and_its_log_tells_all_of_it(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def double(number: int) -> dict[str, int]:
        return {"number": 2 * number}

    document = {
        "nodes": {
            "start": {"type": "input", "config": {"input_name": "n", "input_type": "integer"}},
            "twice": python_node("double", {"number": "{{ n }}"}),
            "result": {
                "type": "output",
                "config": {"output_name": "answer", "value": "{{ twice.number + 1 }}"},
            },
        },
        "edges": [
            {"source": "start", "target": "twice"},
            {"source": "twice", "target": "result"},
        ],
    }
    async with workbench(tmp_path / "test.db", module(double)) as bench:
        events = await bench.run(document, {"n": 20})
        assert types_of(events) == [
            "execution:started",
            "node:started",
            "node:completed",
            "execution:progress",
            "node:started",
            "node:completed",
            "execution:progress",
            "node:started",
            "node:completed",
            "execution:progress",
            "execution:completed",
        ]
        assert [event.number for event in events] == list(range(1, 12))
        assert events[-1].outputs == {"answer": 41}  # type: ignore[attr-defined]
        execution = await bench.storage.executions.get(events[-1].execution_id)
        assert execution.status == "completed"
        assert execution.outputs == {"answer": 41}
        assert bench.engine.running_nodes == 0


async def test_branches_run_at_the_same_time(tmp_path: Path, module: MakeModule) -> None:
    meeting = asyncio.Barrier(3)

    @function
    async def meet() -> None:
        await meeting.wait()

    document = {"nodes": {name: python_node("meet") for name in "abc"}}
    async with workbench(tmp_path / "test.db", module(meet)) as bench:
        assert types_of(await bench.run(document))[-1] == "execution:completed"


async def test_the_servers_cap_bounds_nodes_over_all_executions(
    tmp_path: Path, module: MakeModule
) -> None:
    running, most = 0, 0

    @function
    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1

    document = {"nodes": {name: python_node("count") for name in "abcd"}}
    options = EngineOptions(max_running_nodes=3)
    async with workbench(tmp_path / "test.db", module(count), options=options) as bench:
        executions = [await bench.begin(document) for _ in range(4)]
        for execution in executions:
            await bench.wait_until_ended(execution.id)
        assert most == 3
        assert bench.engine.running_nodes == 0


async def test_more_executions_than_fit_in_memory_all_end(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def step() -> None:
        await asyncio.sleep(0)

    options = EngineOptions(max_active_executions=2)
    async with workbench(tmp_path / "test.db", module(step), options=options) as bench:
        workflow_id = await bench.push({"nodes": {"a": python_node("step")}})
        accepted = await asyncio.gather(
            *(bench.engine.accept(WORKSPACE, workflow_id, {}) for _ in range(25))
        )
        for execution, _ in accepted:
            await bench.wait_until_ended(execution.id)
        assert bench.engine.unfinished_executions == 0


async def test_a_node_starts_only_after_its_start_is_durable(
    tmp_path: Path, module: MakeModule
) -> None:
    seen: list[list[str]] = []

    @function
    async def look(context: NodeContext) -> None:
        seen.append(types_of(await bench.events(context.execution_id)))

    async with workbench(tmp_path / "test.db", module(look)) as bench:
        await bench.run({"nodes": {"a": python_node("look")}})
    assert seen == [["execution:started", "node:started"]]


async def test_progress_and_log_are_recorded_before_the_node_completes(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def report(context: NodeContext) -> None:
        await context.progress(50)
        context.log("half way", level="warning")

    @function
    def report_from_thread(context: SyncNodeContext) -> None:
        context.progress(25)
        context.log("from a thread")

    document = {
        "nodes": {"a": python_node("report"), "b": python_node("report_from_thread")},
        "edges": [{"source": "a", "target": "b"}],
    }
    async with workbench(tmp_path / "test.db", module(report, report_from_thread)) as bench:
        events = await bench.run(document)
    progress = of_type(events, "execution:progress")
    assert [(event.progress, event.current_node, event.node_progress) for event in progress] == [
        (25, "a", 50),
        (50, "a", None),
        (62.5, "b", 25),
        (100, "b", None),
    ]
    logs = of_type(events, "node:log")
    assert [(log.node_id, log.level, log.message) for log in logs] == [
        ("a", "warning", "half way"),
        ("b", "info", "from a thread"),
    ]
    types = types_of(events)
    assert types.index("node:log") < types.index("node:completed")


async def test_a_flood_of_messages_is_bounded_and_says_so(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def flood(context: NodeContext) -> None:
        for index in range(5_000):
            context.log(f"message {index}")
        await context.progress(50)
        context.log("the last")

    async with workbench(tmp_path / "test.db", module(flood)) as bench:
        events = await bench.run({"nodes": {"a": python_node("flood")}})
    messages = [event.message for event in of_type(events, "node:log")]
    assert len(messages) == 1_002
    assert messages[-2:] == ["4000 messages were dropped: they came too fast", "the last"]


async def test_secrets_reach_configs_and_nothing_that_is_recorded(
    tmp_path: Path, module: MakeModule, caplog: pytest.LogCaptureFixture
) -> None:
    given = []

    @function
    async def use(token: str, context: NodeContext) -> dict[str, Any]:
        given.append(token)
        context.log(f"using {token}")
        return {"echo": f"Bearer {token}", token: [token]}

    @function
    async def leak(token: str) -> None:
        raise RuntimeError(f"refused {token}")

    secret = "hunter2-hunter2"
    document = {
        "nodes": {
            "a": python_node("use", {"token": "{{ secrets.TOKEN }}"}),
            "b": python_node("leak", {"token": "{{ secrets.TOKEN }}"}),
        },
        "edges": [{"source": "a", "target": "b"}],
    }
    options = EngineOptions(secrets={"TOKEN": secret})
    async with workbench(tmp_path / "test.db", module(use, leak), options=options) as bench:
        events = await bench.run(document)
        records = await bench.storage.log.read(events[0].execution_id, after=0, limit=100)
    assert given == [secret]
    assert len(of_type(events, "node:completed")) == 1
    assert not any(secret in record.data for record in records)
    assert of_type(events, "node:failed")[0].error == "RuntimeError: refused ***"
    assert secret not in caplog.text


async def test_inputs_that_do_not_fit_are_not_accepted(tmp_path: Path) -> None:
    document = {
        "nodes": {
            "n": {
                "type": "input",
                "config": {"input_name": "n", "input_type": "number", "required": True},
            }
        }
    }
    async with workbench(tmp_path / "test.db") as bench:
        with pytest.raises(InvalidInputs) as raised:
            await bench.begin(document, {"n": "many"})
        assert [problem.path for problem in raised.value.problems] == ["inputs.n"]


async def test_a_user_defined_node_type_runs(tmp_path: Path, module: MakeModule) -> None:
    @node("greet")
    async def greet(name: str, excited: bool = False) -> str:
        return f"Hello {name}{'!' if excited else ''}"

    document = {"nodes": {"a": {"type": "greet", "config": {"name": "you", "excited": True}}}}
    async with workbench(tmp_path / "test.db", module(greet)) as bench:
        events = await bench.run(document)
    assert of_type(events, "node:completed")[0].outputs == {"value": "Hello you!"}


async def test_five_hundred_pure_nodes_are_recorded_in_several_commits(tmp_path: Path) -> None:
    nodes = {f"n{index}": {"type": "transform", "config": {"value": index}} for index in range(500)}
    edges = [{"source": f"n{index}", "target": f"n{index + 1}"} for index in range(499)]
    commits = 0

    def count(*_: Any) -> None:
        nonlocal commits
        commits += 1

    async with workbench(tmp_path / "test.db") as bench:
        bench.storage.log.on_commit(count)
        events = await bench.run({"nodes": nodes, "edges": edges})
    assert events[-1].type == "execution:completed"
    assert len(events) == 1 + 3 * 500 + 1
    assert 6 <= commits <= 10


async def test_a_repeated_request_gets_its_first_answer_whatever_has_changed_since(
    tmp_path: Path,
) -> None:
    document = {"nodes": {"a": {"type": "transform", "config": {"value": 1}}}}
    idempotency = Idempotency("key", "fingerprint")
    async with workbench(tmp_path / "test.db") as bench:
        workflow_id = await bench.push(document)
        first, created = await bench.engine.accept(WORKSPACE, workflow_id, {}, idempotency)
        assert created
        await bench.storage.workflows.delete(WORKSPACE, workflow_id)
        await bench.engine.drain(grace_seconds=5)
        again, created = await bench.engine.accept(WORKSPACE, workflow_id, {}, idempotency)
        assert again.id == first.id
        assert not created


async def test_a_sync_function_does_not_block_the_loop(tmp_path: Path, module: MakeModule) -> None:
    released = threading.Event()

    @function
    def block() -> str:
        assert released.wait(20)
        return threading.current_thread().name

    async with workbench(tmp_path / "test.db", module(block)) as bench:
        execution = await bench.begin({"nodes": {"a": python_node("block")}})
        await bench.wait_for(execution.id, "node:started")
        released.set()
        await bench.wait_until_ended(execution.id)
        [completed] = of_type(await bench.events(execution.id), "node:completed")
        assert completed.outputs["value"] == "flowmaestro-node"
