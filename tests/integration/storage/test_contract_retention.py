"""What every database must do to remove old events, and what readers are told then."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flowmaestro.storage import (
    CursorExpired,
    Idempotency,
    LogEnded,
    Storage,
    StorageOptions,
)
from tests.support.storage import (
    MOMENT,
    completed,
    create_execution,
    new_execution,
    note,
    read_all,
    started,
)


async def ended_log(storage: Storage, events: int, *, days_ago: int = 0) -> str:
    log = (await create_execution(storage)).id
    end = completed(log, "end", at=MOMENT - timedelta(days=days_ago))
    await storage.log.append(log, [note(log)] * (events - 1) + [end])
    return log


async def test_removes_the_events_of_executions_that_finished_before(storage: Storage) -> None:
    old, new = await ended_log(storage, 4, days_ago=10), await ended_log(storage, 4, days_ago=1)
    assert await storage.log.trim(MOMENT - timedelta(days=5), None) == 4
    assert await read_all(storage, new) == [1, 2, 3, 4]
    head = await storage.log.head(old)
    assert (head.last_number, head.trimmed_through, head.ended) == (4, 4, True)
    assert (await storage.executions.get(old)).status == "completed"


async def test_a_cursor_before_what_is_kept_has_expired(storage: Storage) -> None:
    log = await ended_log(storage, 10)
    assert await storage.log.trim(None, 3) == 7
    for after in (0, 6):
        with pytest.raises(CursorExpired) as caught:
            await storage.log.read(log, after=after, limit=10)
        assert caught.value.trimmed_through == 7
    kept = await storage.log.read(log, after=7, limit=10)
    assert [record.number for record in kept] == [8, 9, 10]
    assert await storage.log.read(log, after=10, limit=10) == []


async def test_executions_that_run_are_left_alone(storage: Storage) -> None:
    log = (await create_execution(storage)).id
    await storage.log.append(log, [started(log), note(log)])
    assert await storage.log.trim(None, 0) == 0
    assert await read_all(storage, log) == [1, 2]


async def test_trimming_again_removes_only_what_is_new(storage: Storage) -> None:
    log = await ended_log(storage, 10)
    assert await storage.log.trim(None, 5) == 5
    assert await storage.log.trim(None, 5) == 0
    assert await storage.log.trim(None, 20) == 0
    assert await storage.log.trim(None, 2) == 3
    assert await storage.log.trim(None, 0) == 2
    assert await storage.log.trim(None, 0) == 0
    assert (await storage.log.head(log)).last_number == 10


async def test_a_trimmed_log_stays_ended(storage: Storage) -> None:
    log = await ended_log(storage, 3)
    await storage.log.trim(None, 0)
    for entry in (note(log), completed(log), completed(log, "end")):
        with pytest.raises(LogEnded):
            await storage.log.append(log, [entry])


async def test_long_logs_and_many_logs_go_in_portions_while_appends_go_on(
    storage: Storage,
) -> None:
    running = (await create_execution(storage)).id
    await ended_log(storage, 1_700)
    for _ in range(30):
        await ended_log(storage, 40)
    trimmed = asyncio.create_task(storage.log.trim(None, 1))
    appended = 0
    while not trimmed.done():
        await storage.log.append(running, [note(running)])
        appended += 1
    assert await trimmed == 1_699 + 30 * 39
    assert appended > 3
    assert await read_all(storage, running) == list(range(1, appended + 1))


async def test_a_reader_never_sees_a_gap_while_a_log_is_trimmed(storage: Storage) -> None:
    log = await ended_log(storage, 3_000)

    async def read() -> bool:
        after = 0
        try:
            while records := await storage.log.read(log, after=after, limit=50):
                numbers = [record.number for record in records]
                assert numbers == list(range(after + 1, after + 1 + len(numbers)))
                after = numbers[-1]
        except CursorExpired:
            return False
        return True

    outcomes = await asyncio.gather(read(), storage.log.trim(None, 10), read())
    assert outcomes[1] == 2_990


async def test_it_needs_something_to_go_by(storage: Storage) -> None:
    with pytest.raises(ValueError, match="age"):
        await storage.log.trim(None, None)
    with pytest.raises(ValueError, match="keep_last"):
        await storage.log.trim(None, -1)


async def test_it_forgets_idempotency_keys_past_their_lifetime(database_url: str) -> None:
    options = StorageOptions(clock=lambda: MOMENT + timedelta(hours=30))
    async with await Storage.open(database_url, options=options) as storage:
        for number in range(3):
            await create_execution(
                storage,
                idempotency=Idempotency(f"key{number}", "one"),
                created_at=MOMENT + timedelta(hours=5 * number),
            )
        await storage.executions.forget_idempotency_keys()
        # With the row gone even a time within the lifetime finds nothing.
        answers = [
            (
                await storage.executions.create(
                    new_execution(storage, idempotency=Idempotency(f"key{number}", "one"))
                )
            )[1]
            for number in range(3)
        ]
        assert answers == [True, True, False]
