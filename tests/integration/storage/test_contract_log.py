"""What every database's log must do: numbers, keys, ends, pages, and who hears of commits."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import tempfile
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmaestro.events import decode_event, encode_event
from flowmaestro.storage import (
    ErrorDetails,
    EventTooLarge,
    LogEnded,
    LogEntry,
    LogHead,
    LogRecord,
    Storage,
    StorageClosed,
    StorageOptions,
    UnknownExecution,
)
from tests.support.storage import (
    MOMENT,
    cancelled,
    completed,
    create_execution,
    failed,
    note,
    read_all,
    started,
)


async def test_numbers_events_from_one_without_gaps(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    first = await storage.log.append(log, [started(log), note(log)])
    second = await storage.log.append(log, [note(log)])
    assert [record.number for record in first + second] == [1, 2, 3]
    assert await storage.log.read(log, after=0, limit=10) == first + second


async def test_returns_what_it_will_read_and_what_was_encoded(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    entry = note(log, "tab\t newline\n nul\0 quote\" é 漢 🚀 \u2028 ' \\")
    [record] = await storage.log.append(log, [entry])
    assert await storage.log.read(log, after=0, limit=1) == [record]
    assert record.type == "node:log"
    assert "\n" not in record.data
    assert decode_event(record.data) == entry.event


async def test_json_that_has_been_made_is_what_is_stored(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    event = note(log, "é").event
    data = encode_event(event)
    records = await storage.log.append(log, [LogEntry(event), LogEntry(event, data=data)])
    assert [record.data for record in records] == [data, data]
    assert await storage.log.read(log, after=0, limit=10) == records


async def test_a_hundred_concurrent_appenders_leave_no_gap_and_each_log_its_own_numbers(
    storage: Storage,
) -> None:
    logs = [(await create_execution(storage)).id for _ in range(7)]

    async def append(place: int) -> None:
        for turn in range(20):
            log = logs[(place + turn) % len(logs)]
            size = 1 + (place + turn) % 3
            records = await storage.log.append(log, [note(log, f"{place}")] * size)
            numbers = [record.number for record in records]
            assert numbers == list(range(numbers[0], numbers[0] + size))

    await asyncio.gather(*(append(place) for place in range(100)))
    counts = [await read_all(storage, log) for log in logs]
    assert sum(map(len, counts)) == sum(1 + n % 3 for p in range(100) for n in range(p, p + 20))
    for numbers in counts:
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_repeated_key_is_dropped(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [note(log, "first", "a"), note(log, "second", "b")])
    [record] = await storage.log.append(
        log, [note(log, "again", "a"), note(log, "third", "c"), note(log, "again", "c")]
    )
    assert (record.number, json.loads(record.data)["message"]) == (3, "third")
    assert await storage.log.append(log, [note(log, "again", "b")]) == []
    assert await read_all(storage, log) == [1, 2, 3]


async def test_concurrent_appends_of_one_key_leave_one_event(storage: Storage) -> None:
    log, other = [(await create_execution(storage)).id for _ in range(2)]
    results = await asyncio.gather(
        *(storage.log.append(log, [note(log, f"{n}", "same")]) for n in range(20)),
        *(storage.log.append(other, [note(other, f"{n}", "same"), note(other)]) for n in range(3)),
    )
    assert sum(map(len, results[:20])) == 1
    assert await read_all(storage, log) == [1]
    assert await read_all(storage, other) == [1, 2, 3, 4]


async def test_keys_are_any_text_and_each_logs_own(storage: Storage) -> None:
    log, other = [(await create_execution(storage)).id for _ in range(2)]
    keys = ["", "é漢🚀", 'a"b\\c', "a\nb", "loop[0].a:1:completed"]
    await storage.log.append(log, [note(log, key=key) for key in keys])
    assert await storage.log.append(log, [note(log, key=key) for key in keys]) == []
    assert len(await storage.log.append(other, [note(other, key=key) for key in keys])) == len(keys)


async def test_nothing_follows_the_terminal_event(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [started(log, "started"), completed(log, "ended")])
    for entry in (note(log), note(log, key="new"), completed(log), cancelled(log, "other")):
        with pytest.raises(LogEnded):
            await storage.log.append(log, [entry])
    assert await read_all(storage, log) == [1, 2]


async def test_repeating_the_end_of_a_log_is_no_error(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    entries = [started(log, "started"), completed(log, "ended")]
    await storage.log.append(log, entries)
    assert await storage.log.append(log, entries) == []
    with pytest.raises(LogEnded):
        await storage.log.append(log, [entries[0], note(log, key="new")])


async def test_of_concurrent_ends_one_wins(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    outcomes = await asyncio.gather(
        *(storage.log.append(log, [end(log, end.__name__)]) for end in (cancelled, failed)),
        *(storage.log.append(log, [completed(log)]) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, list) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LogEnded) for outcome in outcomes) == len(outcomes) - 1
    assert await read_all(storage, log) == [1]


async def test_an_append_with_something_after_the_end_appends_nothing(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    with pytest.raises(LogEnded):
        await storage.log.append(log, [started(log), completed(log), note(log)])
    assert await storage.log.read(log, after=0, limit=10) == []


async def test_failing_appends_do_not_hurt_those_beside_them(storage: Storage) -> None:
    good, ended = [(await create_execution(storage)).id for _ in range(2)]
    await storage.log.append(ended, [completed(ended)])
    outcomes = await asyncio.gather(
        *(
            storage.log.append(log, [note(log)])
            for _ in range(20)
            for log in (good, ended, "exec_unknown")
        ),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [list, LogEnded, UnknownExecution] * 20
    assert await read_all(storage, good) == list(range(1, 21))


async def test_a_value_the_database_refuses_hurts_only_its_own_append(storage: Storage) -> None:
    good, bad = [(await create_execution(storage)).id for _ in range(2)]
    event = completed(bad).event.model_copy(update={"duration_ms": 2**70})
    outcomes = await asyncio.gather(
        storage.log.append(good, [note(good)]),
        storage.log.append(bad, [LogEntry(event)]),
        storage.log.append(good, [note(good)]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [list, OverflowError, list]
    assert await read_all(storage, good) == [1, 2]
    assert await read_all(storage, bad) == []


async def test_an_event_of_another_execution_is_refused(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    with pytest.raises(ValueError, match="exec_other"):
        await storage.log.append(log, [note("exec_other")])


async def test_appending_nothing_does_nothing(storage: Storage) -> None:
    assert await storage.log.append("exec_unknown", []) == []


async def test_an_event_over_the_limit_is_refused_and_one_at_the_limit_is_not(
    database_url: str,
) -> None:
    async with await Storage.open(database_url) as storage:
        log = (await create_execution(storage)).id
        [empty] = await storage.log.append(log, [note(log, "")])
        room = 1_048_576 - len(empty.data)
        await storage.log.append(log, [note(log, "é" * (room // 2) + "x" * (room % 2))])
        with pytest.raises(EventTooLarge) as caught:
            await storage.log.append(log, [note(log), note(log, "é" * (room // 2 + 1))])
        assert caught.value.limit == 1_048_576 < caught.value.size
        assert await read_all(storage, log) == [1, 2]


async def test_the_row_follows_the_log(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [started(log)])
    execution = await storage.executions.get(log)
    assert (execution.status, execution.started_at, execution.ended) == ("running", MOMENT, False)
    end = MOMENT + timedelta(seconds=2)
    outputs = {"text": 'é"\n', "list": [1, 2.5, None, True], "deep": {"a": {}}, "huge": 2**60}
    await storage.log.append(log, [completed(log, outputs=outputs, at=end)])
    execution = await storage.executions.get(log)
    assert execution.status == "completed"
    assert execution.outputs == outputs
    assert (execution.started_at, execution.completed_at) == (MOMENT, end)
    assert (execution.duration_ms, execution.error, execution.error_details) == (1250, None, None)


async def test_the_row_says_why_an_execution_failed(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [started(log), failed(log)])
    execution = await storage.executions.get(log)
    assert (execution.status, execution.outputs) == ("failed", None)
    assert execution.error == "The page is gone."
    assert execution.error_details == ErrorDetails("http_404", "fetch")


async def test_a_cancelled_execution_has_no_error(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [cancelled(log)])
    execution = await storage.executions.get(log)
    assert (execution.status, execution.error, execution.duration_ms) == ("cancelled", None, 9)


async def test_an_event_that_is_dropped_does_not_reach_the_row(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [note(log, key="taken")])
    appended = await storage.log.append(log, [note(log), completed(log, "taken")])
    appended += await storage.log.append(log, [started(log, "taken"), note(log)])
    assert [record.type for record in appended] == ["node:log", "node:log"]
    assert (await storage.executions.get(log)).status == "pending"
    assert not (await storage.log.head(log)).ended


async def test_the_head_tells_where_a_log_stands(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    assert await storage.log.head(log) == LogHead(log, 0, 0, "pending", ended=False, workspace="ws")
    await storage.log.append(log, [started(log), note(log)])
    assert await storage.log.head(log) == LogHead(log, 2, 0, "running", ended=False, workspace="ws")
    await storage.log.append(log, [failed(log)])
    assert await storage.log.head(log) == LogHead(log, 3, 0, "failed", ended=True, workspace="ws")
    with pytest.raises(UnknownExecution):
        await storage.log.head("exec_unknown")


async def test_reads_pages_after_a_number(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    records = await storage.log.append(log, [note(log, str(n)) for n in range(100)])
    assert await storage.log.read(log, after=0, limit=1_000) == records
    assert await storage.log.read(log, after=10, limit=5) == records[10:15]
    assert await storage.log.read(log, after=98, limit=50) == records[98:]
    assert await storage.log.read(log, after=100, limit=50) == []
    assert await storage.log.read(log, after=500, limit=50) == []
    assert await storage.log.read(log, after=0, limit=0) == []
    with pytest.raises(UnknownExecution):
        await storage.log.read("exec_unknown", after=0, limit=10)


async def test_a_page_of_large_events_is_cut_but_never_empty(database_url: str) -> None:
    options = StorageOptions(max_page_bytes=100_000)
    async with await Storage.open(database_url, options=options) as storage:
        log = (await create_execution(storage)).id
        for _ in range(10):
            await storage.log.append(log, [note(log, "x" * 10_000) for _ in range(10)])
        page = await storage.log.read(log, after=0, limit=1_000)
        assert 1 <= len(page) < 100
        assert await read_all(storage, log) == list(range(1, 101))


async def test_an_append_larger_than_a_group_is_one_transaction(database_url: str) -> None:
    options = StorageOptions(max_group_events=10)
    async with await Storage.open(database_url, options=options) as storage:
        log = (await create_execution(storage)).id
        heard: list[int] = []
        storage.log.on_commit(lambda _, records: heard.append(len(records)))
        await storage.log.append(log, [note(log)] * 95)
        assert heard == [95]
        assert await read_all(storage, log) == list(range(1, 96))


async def test_listeners_hear_of_commits_in_order_and_before_the_append_returns(
    storage: Storage,
) -> None:
    log, other = [(await create_execution(storage)).id for _ in range(2)]
    heard: list[tuple[str, LogRecord]] = []
    remove = storage.log.on_commit(
        lambda execution_id, records: heard.extend((execution_id, record) for record in records)
    )

    async def append(execution_id: str) -> None:
        for record in await storage.log.append(execution_id, [note(execution_id)] * 2):
            assert (execution_id, record) in heard
            assert await storage.log.read(execution_id, after=record.number - 1, limit=1) == [
                record
            ]

    await asyncio.gather(*(append(name) for name in (log, other) * 10))
    for name in (log, other):
        numbers = [record.number for execution_id, record in heard if execution_id == name]
        assert numbers == list(range(1, 21))
    heard.clear()
    remove()
    remove()
    await storage.log.append(log, [note(log)])
    assert heard == []


async def test_listeners_hear_only_of_what_was_appended(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    heard: list[list[int]] = []
    storage.log.on_commit(lambda _, records: heard.append([record.number for record in records]))
    await storage.log.append(log, [note(log, key="a")])
    await storage.log.append(log, [note(log, key="a")])
    await storage.log.append(log, [note(log, key="a"), note(log, key="b")])
    with pytest.raises(UnknownExecution):
        await storage.log.append("exec_unknown", [note("exec_unknown")])
    assert heard == [[1], [2]]


async def test_a_listener_that_fails_is_logged_and_hurts_nobody(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    log = (await create_execution(storage)).id
    heard: list[str] = []

    def fail(execution_id: str, records: list[LogRecord]) -> None:
        raise RuntimeError("the listener is broken")

    storage.log.on_commit(fail)
    storage.log.on_commit(lambda execution_id, _: heard.append(execution_id))
    with caplog.at_level(logging.ERROR):
        assert len(await storage.log.append(log, [note(log)])) == 1
    assert heard == [log]
    assert "the listener is broken" in caplog.text


async def test_cancelling_an_append_neither_tears_nor_undoes_it(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    committed = asyncio.Event()
    storage.log.on_commit(lambda *_: committed.set())
    task = asyncio.create_task(storage.log.append(log, [note(log)] * 3))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await committed.wait()
    assert await read_all(storage, log) == [1, 2, 3]
    assert len(await storage.log.append(log, [note(log)])) == 1


async def test_a_concurrent_reader_sees_whole_appends_only(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    done = asyncio.Event()
    seen: list[int] = []

    async def write() -> None:
        for _ in range(60):
            await storage.log.append(log, [note(log)] * 3)
        done.set()

    async def read() -> None:
        while not done.is_set():
            numbers = [r.number for r in await storage.log.read(log, after=0, limit=1_000)]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) % 3 == 0
            seen.append(len(numbers))

    await asyncio.gather(write(), read(), read())
    assert seen
    assert await read_all(storage, log) == list(range(1, 181))


async def test_two_storages_on_one_database_go_on_where_the_other_stopped(
    storage: Storage, database_url: str
) -> None:
    log = (await create_execution(storage)).id
    async with await Storage.open(database_url) as other:
        for turn in range(10):
            writer = (storage, other)[turn % 2]
            [record] = await writer.log.append(log, [note(log)])
            assert record.number == turn + 1
        await other.log.append(log, [completed(log)])
        with pytest.raises(LogEnded):
            await storage.log.append(log, [note(log)])


async def test_a_full_queue_makes_appends_wait_and_loses_none(database_url: str) -> None:
    options = StorageOptions(max_queued_writes=3, max_queued_bytes=2_000)
    async with await Storage.open(database_url, options=options) as storage:
        log = (await create_execution(storage)).id
        appends = [
            asyncio.create_task(storage.log.append(log, [note(log, "x" * (n % 7) * 500)]))
            for n in range(200)
        ]
        await asyncio.sleep(0)
        for append in appends[10:20]:
            append.cancel()
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert sum(isinstance(outcome, list) for outcome in outcomes) == 190
        assert await read_all(storage, log) == list(range(1, 191))


async def test_closing_finishes_what_is_queued_and_refuses_what_comes_later(
    database_url: str,
) -> None:
    storage = await Storage.open(database_url)
    log = (await create_execution(storage)).id
    appends = [asyncio.create_task(storage.log.append(log, [note(log)])) for _ in range(50)]
    await asyncio.sleep(0)
    await storage.aclose()
    assert all(append.done() for append in appends)
    for call in (
        storage.log.append(log, [note(log)]),
        storage.log.read(log, after=0, limit=1),
        storage.executions.get(log),
        storage.check(),
    ):
        with pytest.raises(StorageClosed):
            await call
    await storage.aclose()
    async with await Storage.open(database_url) as again:
        assert await read_all(again, log) == list(range(1, 51))


async def test_a_log_survives_reopening(database_url: str) -> None:
    async with await Storage.open(database_url) as storage:
        log = (await create_execution(storage)).id
        records = await storage.log.append(log, [started(log), note(log, key="a")])
    async with await Storage.open(database_url) as storage:
        await storage.check()
        assert await storage.log.read(log, after=0, limit=10) == records
        assert await storage.log.append(log, [note(log, key="a")]) == []
        [record] = await storage.log.append(log, [note(log, key="b")])
        assert record.number == 3


@settings(max_examples=25, deadline=None)
@given(
    appends=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.lists(st.sampled_from([None, "a", "b", "c", "d"]), min_size=1, max_size=4),
            st.booleans(),
        ),
        max_size=25,
    ),
    seed=st.integers(0, 2**16),
)
def test_whatever_is_appended_at_once_obeys_the_rules_of_a_log(
    appends: list[tuple[int, list[str | None], bool]], seed: int
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with await Storage.open(f"{folder}/log.db") as storage:
                logs = [(await create_execution(storage)).id for _ in range(3)]
                heard: dict[str, list[int]] = {log: [] for log in logs}
                storage.log.on_commit(
                    lambda log, records: heard[log].extend(record.number for record in records)
                )
                chance = random.Random(seed)

                async def append(place: int, keys: list[str | None], ends: bool) -> None:
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(0)
                    log = logs[place]
                    entries = [note(log, key=key) for key in keys]
                    if ends:
                        entries.append(completed(log))
                    try:
                        records = await storage.log.append(log, entries)
                    except LogEnded:
                        return
                    numbers = [record.number for record in records]
                    assert numbers == sorted(numbers)

                await asyncio.gather(*(append(*values) for values in appends))
                for place, log in enumerate(logs):
                    records = await storage.log.read(log, after=0, limit=1_000)
                    numbers = [record.number for record in records]
                    assert numbers == list(range(1, len(records) + 1)) == heard[log]
                    ends = [r.number for r in records if r.type == "execution:completed"]
                    ended = any(ends for which, _, ends in appends if which == place)
                    assert ends == ([len(records)] if ended else [])
                    head = await storage.log.head(log)
                    assert (head.last_number, head.ended) == (len(records), ended)

    asyncio.run(run())
