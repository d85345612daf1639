"""Executions while the wall clock is set, servers come and go, and the machine sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowmaestro import NodeContext, NodeError, SyncNodeContext, function
from flowmaestro.engine import EngineOptions, run
from flowmaestro.events import Event
from flowmaestro.workflow.scheduler.decide import MAX_INTERRUPTIONS
from tests.support.clock import MovedClock
from tests.support.engine import Workbench, of_type, python_node, types_of, workbench
from tests.support.waiting import wait_until

MakeModule = Callable[..., ModuleType]
HOUR_MS = 60 * 60 * 1_000
MINUTE_MS = 60 * 1_000


def assert_time_goes_on(events: list[Event]) -> None:
    """Check that no timestamp is before the one in front of it, and that durations fit them."""
    assert all(first.timestamp <= second.timestamp for first, second in pairwise(events))
    end: Any = events[-1]
    passed = end.timestamp - of_type(events, "execution:started")[0].timestamp
    assert end.duration_ms == round(passed.total_seconds() * 1_000)
    assert all(event.duration_ms >= 0 for event in of_type(events, "node:completed"))


async def has_started(bench: Workbench, execution_id: str, node_id: str, attempt: int) -> bool:
    started = of_type(await bench.events(execution_id), "node:started")
    return (node_id, attempt) in [(event.node_id, event.attempt) for event in started]


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_wall_clock_that_is_set_changes_no_delay_limit_or_duration(
    tmp_path: Path, module: MakeModule, days: int
) -> None:
    clock = MovedClock()
    calls = 0

    @function
    async def flaky() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            clock.set_by(days=days)
            raise NodeError("not yet")

    document = {
        "nodes": {
            "a": python_node("flaky", retry={"max_attempts": 2, "initial_delay_ms": 50}),
            "b": {
                "type": "loop",
                "config": {
                    "items": [1],
                    "body": {
                        "nodes": {"c": {"type": "wait", "config": {"duration_ms": 1}}},
                        "settings": {"timeout_ms": HOUR_MS},
                    },
                },
                "timeout_ms": HOUR_MS,
            },
        },
        "edges": [{"source": "a", "target": "b"}],
        "settings": {"timeout_ms": HOUR_MS},
    }
    async with workbench(tmp_path / "test.db", module(flaky), clock=clock) as bench:
        events = await bench.run(document)
        execution = await bench.storage.executions.get(events[0].execution_id)
        assert execution.status == "completed"
        assert execution.duration_ms is not None
        assert 50 <= execution.duration_ms < MINUTE_MS
        assert_time_goes_on(events)
        # What begins now goes by the clock as it is now.
        later = await bench.run({"nodes": {"a": {"type": "transform", "config": {"value": 1}}}})
    assert (later[0].timestamp > events[-1].timestamp) == (days > 0)


async def test_a_wall_clock_that_was_set_back_during_a_restart_holds_nothing_up(
    tmp_path: Path, module: MakeModule
) -> None:
    clock = MovedClock()
    fails = True

    @function
    async def flaky() -> None:
        if fails:
            raise NodeError("not yet")

    policy = {"max_attempts": 2, "initial_delay_ms": 1_000}
    document = {"nodes": {"a": python_node("flaky", retry=policy)}}
    database = tmp_path / "test.db"
    async with workbench(database, module(flaky), clock=clock) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:retrying")
    fails = False
    clock.set_by(days=-1)
    async with workbench(database, module(flaky), clock=clock) as bench:
        await bench.wait_until_ended(execution.id)
        events = await bench.events(execution.id)
    assert events[-1].type == "execution:completed"
    assert_time_goes_on(events)


async def test_an_end_that_comes_without_a_run_is_not_before_the_beginning(
    tmp_path: Path,
) -> None:
    clock = MovedClock()
    options = EngineOptions(max_active_executions=0)
    async with workbench(tmp_path / "test.db", options=options, clock=clock) as bench:
        workflow_id = await bench.push(
            {"nodes": {"a": {"type": "transform", "config": {"value": 1}}}}
        )
        execution, _ = await bench.engine.accept("default", workflow_id, {})
        clock.set_by(days=-1)
        cancelled = await bench.engine.cancel(execution.id, "no room")
    assert cancelled.completed_at == execution.created_at
    assert cancelled.duration_ms == 0


async def test_an_end_that_comes_without_a_run_is_not_before_what_has_happened(
    tmp_path: Path, module: MakeModule
) -> None:
    clock = MovedClock()

    @function
    async def hang() -> None:
        clock.let_pass(hours=1)
        await asyncio.Event().wait()

    document = {
        "nodes": {"a": python_node("hang"), "b": {"type": "wait", "config": {"duration_ms": 1}}}
    }
    database = tmp_path / "test.db"
    async with workbench(database, module(hang), clock=clock) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:completed")
    clock.set_by(hours=-1)
    options = EngineOptions(max_active_executions=0)
    async with workbench(database, module(hang), options=options, clock=clock) as bench:
        await bench.engine.cancel(execution.id, "no room")
        assert_time_goes_on(await bench.events(execution.id))


async def test_a_retry_that_fell_due_while_no_server_ran_is_made_at_once(
    tmp_path: Path, module: MakeModule
) -> None:
    clock = MovedClock()
    fails = True

    @function
    async def flaky() -> None:
        if fails:
            raise NodeError("not yet")

    policy = {"max_attempts": 2, "initial_delay_ms": HOUR_MS, "max_delay_ms": HOUR_MS}
    document = {"nodes": {"a": python_node("flaky", retry=policy)}}
    database = tmp_path / "test.db"
    async with workbench(database, module(flaky), clock=clock) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:retrying")
    fails = False
    clock.let_pass(hours=1)
    async with workbench(database, module(flaky), clock=clock) as bench:
        await bench.wait_until_ended(execution.id)
        events = await bench.events(execution.id)
    assert events[-1].type == "execution:completed"
    assert_time_goes_on(events)


async def test_a_wait_of_days_ends_when_it_should_through_restarts(tmp_path: Path) -> None:
    clock = MovedClock()
    a_day = {"type": "wait", "config": {"duration_ms": 24 * HOUR_MS}}
    document = {
        "nodes": {"first": a_day, "second": a_day},
        "edges": [{"source": "first", "target": "second"}],
    }
    database = tmp_path / "test.db"
    execution_id = ""
    for node_id in ("first", "second"):
        for attempt, hours in enumerate((10, 10, 4), start=1):
            async with workbench(database, clock=clock) as bench:
                execution_id = execution_id or (await bench.begin(document)).id
                await wait_until(partial(has_started, bench, execution_id, node_id, attempt))
                completed = of_type(await bench.events(execution_id), "node:completed")
                assert node_id not in [event.node_id for event in completed]
            clock.let_pass(hours=hours)
    async with workbench(database, clock=clock) as bench:
        await bench.wait_until_ended(execution_id)
        events = await bench.events(execution_id)
    [completed] = of_type(events, "execution:completed")
    assert 48 * HOUR_MS <= completed.duration_ms < 48 * HOUR_MS + 5 * MINUTE_MS
    assert_time_goes_on(events)


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_node_is_told_how_much_of_its_time_has_passed(
    tmp_path: Path, module: MakeModule, kind: str
) -> None:
    clock = MovedClock()
    told: list[int] = []

    async def attempt(context: NodeContext) -> None:
        told.append(context.elapsed_ms)
        if context.attempt < 3:
            await asyncio.Event().wait()
        if context.attempt == 3:
            raise NodeError("begin anew")

    def attempt_in_a_thread(context: SyncNodeContext) -> None:
        told.append(context.elapsed_ms)
        while context.attempt < 3 and not context.cancelled:
            time.sleep(0.01)
        if context.attempt == 3:
            raise NodeError("begin anew")

    made = function("attempt")(attempt if kind == "async" else attempt_in_a_thread)
    policy = {"max_attempts": 2, "initial_delay_ms": 1}
    database = tmp_path / "test.db"
    async with workbench(database, module(made), clock=clock) as bench:
        execution = await bench.begin({"nodes": {"a": python_node("attempt", retry=policy)}})
        await wait_until(lambda: len(told) == 1)
    clock.let_pass(hours=1)
    async with workbench(database, module(made), clock=clock) as bench:
        await wait_until(lambda: len(told) == 2)
    clock.let_pass(hours=1)
    async with workbench(database, module(made), clock=clock) as bench:
        await bench.wait_until_ended(execution.id)
    first, second, third, after_a_failure = told
    assert first == after_a_failure == 0
    assert HOUR_MS <= second < HOUR_MS + MINUTE_MS
    assert 2 * HOUR_MS <= third < 2 * HOUR_MS + MINUTE_MS


async def test_a_wait_outlives_any_number_of_restarts(tmp_path: Path) -> None:
    document = {"nodes": {"a": {"type": "wait", "config": {"duration_ms": HOUR_MS}}}}
    database = tmp_path / "test.db"
    clock = MovedClock()
    async with workbench(database, clock=clock) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:started")
    for restarts in range(1, MAX_INTERRUPTIONS + 3):
        async with workbench(database, clock=clock) as bench:
            await wait_until(partial(has_started, bench, execution.id, "a", restarts + 1))
    clock.let_pass(hours=1)
    async with workbench(database, clock=clock) as bench:
        await bench.wait_until_ended(execution.id)
        assert types_of(await bench.events(execution.id))[-1] == "execution:completed"


async def test_the_servers_limit_of_an_attempt_is_not_for_a_wait(tmp_path: Path) -> None:
    options = EngineOptions(default_node_timeout_ms=1)
    wait = {"type": "wait", "config": {"duration_ms": 100}}
    async with workbench(tmp_path / "test.db", options=options) as bench:
        assert types_of(await bench.run({"nodes": {"a": wait}}))[-1] == "execution:completed"
        [failed] = of_type(
            await bench.run({"nodes": {"a": {**wait, "timeout_ms": 1}}}), "node:failed"
        )
        assert failed.error_code == "timeout"


async def test_an_execution_of_three_days_meets_its_limit_of_two(
    tmp_path: Path, module: MakeModule
) -> None:
    clock = MovedClock()

    @function
    async def hold() -> None:
        await asyncio.Event().wait()

    document = {
        "nodes": {"a": python_node("hold")},
        "settings": {"timeout_ms": 48 * HOUR_MS},
    }
    database = tmp_path / "test.db"
    async with workbench(database, module(hold), clock=clock) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:started")
    clock.let_pass(days=3)
    async with workbench(database, module(hold), clock=clock) as bench:
        await bench.wait_until_ended(execution.id)
        ended = await bench.storage.executions.get(execution.id)
    assert (ended.status, ended.error_details and ended.error_details.code) == ("failed", "timeout")
    assert ended.duration_ms is not None
    assert 72 * HOUR_MS <= ended.duration_ms < 72 * HOUR_MS + 5 * MINUTE_MS


async def test_a_limit_that_passed_while_the_machine_slept_is_noticed_soon(
    tmp_path: Path, module: MakeModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LONGEST_SLEEP_SECONDS", 0.05)
    clock = MovedClock()

    @function
    async def hold() -> None:
        await asyncio.Event().wait()

    document = {"nodes": {"a": python_node("hold")}, "settings": {"timeout_ms": HOUR_MS}}
    async with workbench(tmp_path / "test.db", module(hold), clock=clock) as bench:
        execution = await bench.begin(document)
        await bench.wait_for(execution.id, "node:started")
        clock.let_pass(hours=2)  # the event loop's clock, as in a machine that slept, stands still
        await bench.wait_until_ended(execution.id)
        events = await bench.events(execution.id)
    [failed] = of_type(events, "execution:failed")
    assert failed.error_code == "timeout"
