"""What an execution does on a real engine with a real log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowmaestro import NodeContext, NodeError, SyncNodeContext, function, node
from flowmaestro.engine import AlreadyEnded, EngineOptions, InvalidInputs, UncallableWorkflow
from flowmaestro.storage import Idempotency
from tests.support.engine import WORKSPACE, of_type, types_of, workbench

MakeModule = Callable[..., ModuleType]


def call(name: str, arguments: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "python", "config": {"function": name, "arguments": arguments or {}}, **fields}


async def test_a_workflow_runs_and_its_log_tells_all_of_it(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def double(number: int) -> dict[str, int]:
        return {"number": 2 * number}

    document = {
        "nodes": {
            "start": {"type": "input", "config": {"input_name": "n", "input_type": "integer"}},
            "twice": call("double", {"number": "{{ n }}"}),
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

    document = {"nodes": {name: call("meet") for name in "abc"}}
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

    document = {"nodes": {name: call("count") for name in "abcd"}}
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
        workflow_id = await bench.push({"nodes": {"a": call("step")}})
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
        await bench.run({"nodes": {"a": call("look")}})
    assert seen == [["execution:started", "node:started"]]


async def test_a_sync_function_does_not_block_the_loop(tmp_path: Path, module: MakeModule) -> None:
    released = threading.Event()

    @function
    def block() -> str:
        assert released.wait(20)
        return threading.current_thread().name

    async with workbench(tmp_path / "test.db", module(block)) as bench:
        execution = await bench.begin({"nodes": {"a": call("block")}})
        await bench.wait_for(execution.id, "node:started")
        released.set()
        await bench.wait_until_ended(execution.id)
        [completed] = of_type(await bench.events(execution.id), "node:completed")
        assert completed.outputs["value"] == "flowmaestro-node"


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
        "nodes": {"a": call("report"), "b": call("report_from_thread")},
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
        events = await bench.run({"nodes": {"a": call("flood")}})
    messages = [event.message for event in of_type(events, "node:log")]
    assert len(messages) == 1_002
    assert messages[-2:] == ["4000 messages were dropped: they came too fast", "the last"]


async def test_a_raising_node_fails_with_what_it_said(tmp_path: Path, module: MakeModule) -> None:
    @function
    async def divide() -> float:
        return 1 / 0

    async with workbench(tmp_path / "test.db", module(divide)) as bench:
        events = await bench.run({"nodes": {"a": call("divide")}})
        [failed] = of_type(events, "node:failed")
        assert failed.error == "ZeroDivisionError: division by zero"
        assert failed.error_code == "node_error"
        execution = await bench.storage.executions.get(failed.execution_id)
        assert execution.status == "failed"
        assert execution.error == failed.error
        assert execution.error_details is not None
        assert execution.error_details.node_id == "a"


async def test_retries_are_made_and_recorded(tmp_path: Path, module: MakeModule) -> None:
    keys = []

    @function
    async def flaky(context: NodeContext) -> int:
        keys.append(context.idempotency_key)
        if context.attempt < 3:
            raise NodeError("not yet", code="not_yet")
        return context.attempt

    retry = {"max_attempts": 3, "initial_delay_ms": 1}
    async with workbench(tmp_path / "test.db", module(flaky)) as bench:
        events = await bench.run({"nodes": {"a": call("flaky", retry=retry)}})
    assert [e.next_attempt for e in of_type(events, "node:retrying")] == [2, 3]
    assert of_type(events, "node:completed")[0].outputs == {"value": 3}
    assert len(set(keys)) == 1


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_hanging_node_times_out(tmp_path: Path, module: MakeModule, kind: str) -> None:
    stop = threading.Event()

    @function("hang")
    async def hang_async() -> None:
        await asyncio.Event().wait()

    @function("hang")
    def hang_in_thread() -> None:
        stop.wait(20)

    hang = hang_async if kind == "async" else hang_in_thread
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        events = await bench.run({"nodes": {"a": call("hang", timeout_ms=30)}})
        stop.set()
        [failed] = of_type(events, "node:failed")
        assert failed.error_code == "timeout"
        assert failed.error == "the node took longer than its 30 ms"


async def test_a_node_that_cancels_itself_fails(tmp_path: Path, module: MakeModule) -> None:
    @function
    async def give_up() -> None:
        raise asyncio.CancelledError

    async with workbench(tmp_path / "test.db", module(give_up)) as bench:
        [failed] = of_type(await bench.run({"nodes": {"a": call("give_up")}}), "node:failed")
        assert failed.error_code == "cancelled"


async def test_an_execution_that_takes_too_long_fails(tmp_path: Path, module: MakeModule) -> None:
    @function
    async def hang() -> None:
        await asyncio.Event().wait()

    document = {"nodes": {"a": call("hang")}, "settings": {"timeout_ms": 30}}
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        events = await bench.run(document)
        end = events[-1]
        assert (end.type, end.error_code) == ("execution:failed", "timeout")  # type: ignore[attr-defined]
        await bench.run({"nodes": {"a": {"type": "transform", "config": {"value": 1}}}})
        assert bench.engine.running_nodes == 0


async def test_a_loop_with_a_timeout_stops_what_it_holds(
    tmp_path: Path, module: MakeModule
) -> None:
    cancelled = asyncio.Event()

    @function
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    loop = {
        "type": "loop",
        "config": {"items": [1, 2], "body": {"nodes": {"a": call("hang")}}},
        "timeout_ms": 30,
        "on_error": {"strategy": "continue"},
    }
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        events = await bench.run({"nodes": {"each": loop}})
        assert [e.node_id for e in of_type(events, "node:failed")] == ["each"]
        assert events[-1].type == "execution:completed"
        await asyncio.wait_for(cancelled.wait(), 10)


async def test_time_limits_in_settings_hold_for_iterations_and_called_workflows(
    tmp_path: Path, module: MakeModule
) -> None:
    @function
    async def hang() -> None:
        await asyncio.Event().wait()

    slow = {"nodes": {"a": call("hang")}, "settings": {"timeout_ms": 30}}
    continues = {"strategy": "continue"}
    document = {
        "nodes": {
            "each": {"type": "loop", "config": {"items": [1], "body": slow}, "on_error": continues},
            "call": {
                "type": "workflow",
                "config": {"workflow_id": "slow"},
                "on_error": continues,
            },
        }
    }
    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        await bench.push(slow, "slow")
        events = await bench.run(document)
        failures = {event.node_id: event for event in of_type(events, "node:failed")}
        assert {failure.error_code for failure in failures.values()} == {"timeout"}
        assert failures["each"].error == "each[0]: the iteration took longer than its 30 ms"
        assert failures["call"].error == "the workflow 'slow' took longer than its 30 ms"
        assert events[-1].type == "execution:completed"
        assert bench.engine.running_nodes == 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (lambda: {"x": object()}, "JSON"),
        (lambda: "x" * 2_000_000, "are allowed"),
        (lambda: {"x": {1, 2}}, None),
    ],
)
async def test_what_a_node_returns_is_checked(
    tmp_path: Path, module: MakeModule, value: Callable[[], Any], says: str | None
) -> None:
    @function
    async def give() -> Any:
        return value()

    async with workbench(tmp_path / "test.db", module(give)) as bench:
        events = await bench.run({"nodes": {"a": call("give")}})
        failed = of_type(events, "node:failed")
        if says is None:
            assert not failed
        else:
            assert says in failed[0].error
        # The server goes on serving.
        again = await bench.run({"nodes": {"a": {"type": "transform", "config": {"value": 1}}}})
        assert again[-1].type == "execution:completed"


async def test_cancelling_stops_running_nodes_and_ends_the_log(
    tmp_path: Path, module: MakeModule
) -> None:
    stopped = asyncio.Event()

    @function
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with workbench(tmp_path / "test.db", module(hang)) as bench:
        execution = await bench.begin({"nodes": {"a": call("hang")}})
        await bench.wait_for(execution.id, "node:started")
        cancelled = await bench.engine.cancel(execution.id, "asked by a test")
        assert cancelled.status == "cancelled"
        events = await bench.events(execution.id)
        assert types_of(events)[-1] == "execution:cancelled"
        assert events[-1].reason == "asked by a test"  # type: ignore[attr-defined]
        await asyncio.wait_for(stopped.wait(), 10)
        with pytest.raises(AlreadyEnded):
            await bench.engine.cancel(execution.id, "again")


async def test_cancelling_does_not_wait_for_a_node_that_ignores_it(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def stubborn() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    async with workbench(tmp_path / "test.db", module(stubborn)) as bench:
        execution = await bench.begin({"nodes": {"a": call("stubborn")}})
        await bench.wait_for(execution.id, "node:started")
        async with asyncio.timeout(1):
            assert (await bench.engine.cancel(execution.id, "now")).status == "cancelled"
        released.set()


async def test_an_execution_that_waits_its_turn_can_be_cancelled(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()

    @function
    async def wait() -> None:
        await released.wait()

    options = EngineOptions(max_active_executions=1)
    async with workbench(tmp_path / "test.db", module(wait), options=options) as bench:
        first = await bench.begin({"nodes": {"a": call("wait")}})
        second = await bench.begin({"nodes": {"a": call("wait")}})
        assert (await bench.engine.cancel(second.id, "no more")).status == "cancelled"
        assert types_of(await bench.events(second.id)) == ["execution:cancelled"]
        released.set()
        await bench.wait_until_ended(first.id)
        assert bench.engine.unfinished_executions == 0


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
            "a": call("use", {"token": "{{ secrets.TOKEN }}"}),
            "b": call("leak", {"token": "{{ secrets.TOKEN }}"}),
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


async def test_a_called_workflow_runs_as_part_of_the_execution(
    tmp_path: Path, module: MakeModule
) -> None:
    inner = {
        "nodes": {
            "n": {"type": "input", "config": {"input_name": "n", "required": True}},
            "out": {"type": "output", "config": {"output_name": "plus", "value": "{{ n + 1 }}"}},
        },
        "edges": [{"source": "n", "target": "out"}],
    }
    outer = {
        "nodes": {
            "add": {"type": "workflow", "config": {"workflow_id": "adder", "inputs": {"n": 41}}},
            "out": {"type": "output", "config": {"output_name": "x", "value": "{{ add.plus }}"}},
        },
        "edges": [{"source": "add", "target": "out"}],
    }
    async with workbench(tmp_path / "test.db") as bench:
        await bench.push(inner, "adder")
        events = await bench.run(outer)
    assert [e.node_id for e in of_type(events, "node:started")] == [
        "add",
        "add.n",
        "add.out",
        "out",
    ]
    assert events[-1].outputs == {"x": 42}  # type: ignore[attr-defined]


async def test_a_workflow_that_calls_itself_without_end_fails_clearly(tmp_path: Path) -> None:
    itself = {"nodes": {"again": {"type": "workflow", "config": {"workflow_id": "loopy"}}}}
    async with workbench(tmp_path / "test.db") as bench:
        await bench.push(itself, "loopy")
        execution, _ = await bench.engine.accept(WORKSPACE, "loopy", {})
        await bench.wait_until_ended(execution.id)
        end = (await bench.events(execution.id))[-1]
    assert (end.type, end.error_code) == ("execution:failed", "too_deep")  # type: ignore[attr-defined]


async def test_a_workflow_that_calls_a_missing_one_is_not_accepted(tmp_path: Path) -> None:
    caller = {"nodes": {"call": {"type": "workflow", "config": {"workflow_id": "nowhere"}}}}
    async with workbench(tmp_path / "test.db") as bench:
        with pytest.raises(UncallableWorkflow, match="nowhere"):
            await bench.begin(caller)


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


async def test_a_retry_that_is_due_waits_for_a_slot_without_spinning(
    tmp_path: Path, module: MakeModule
) -> None:
    released = asyncio.Event()
    steps = 0

    @function
    async def fail_once(context: NodeContext) -> None:
        if context.attempt == 1:
            raise NodeError("once")

    @function
    async def hold() -> None:
        await released.wait()

    document = {
        "nodes": {
            "a": call("fail_once", retry={"max_attempts": 2, "initial_delay_ms": 20}),
        }
    }
    options = EngineOptions(max_running_nodes=1)
    async with workbench(tmp_path / "test.db", module(fail_once, hold), options=options) as bench:
        now = bench.engine._services.now

        def counted() -> Any:
            nonlocal steps
            steps += 1
            return now()

        object.__setattr__(bench.engine._services, "now", counted)
        retried = await bench.begin(document)
        await bench.wait_for(retried.id, "node:retrying")
        holder = await bench.begin({"nodes": {"b": call("hold")}})
        await bench.wait_for(holder.id, "node:started")
        await asyncio.sleep(0.1)
        released.set()
        await bench.wait_until_ended(retried.id)
        assert steps < 30


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
