"""A server that is killed before or after each step of an execution, and the one that follows it.

``STAGES`` are the transactions of an execution of two nodes, in order. A kill before the commit of
one leaves nothing of it, one after it leaves all of it, whoever has been told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flowmaestro.events import Event, decode_event
from flowmaestro.storage import Storage
from tests.crash.conftest import Prepared
from tests.support.crash_nodes import effects
from tests.support.crash_points import Point, around
from tests.support.crash_process import NODES, crash_process
from tests.support.engine import of_type
from tests.support.server import database_url, http_client, live_server

STAGES = (
    ("replaced idempotency key", "idempotency key", "execution"),
    ("first events", "started row"),
    ("events",),
    ("terminal event", "ended row"),
)
POINTS = [
    *around("statement", *(write for stage in STAGES for write in stage)),
    *around("commit", *(stage[0] for stage in STAGES)),
    *around("publish", *(stage[0] for stage in STAGES[1:])),
]
CANCELLATION = ("cancellation", "ended row")
CANCEL_POINTS = [
    *around("statement", *CANCELLATION),
    *around("commit", CANCELLATION[0]),
    *around("publish", CANCELLATION[0]),
]
RECOVERY = (("interruption",), ("next attempt",))
RECOVERY_POINTS = [
    *around("statement", "interruption", "next attempt"),
    *around("commit", "interruption", "next attempt"),
    *around("publish", "interruption", "next attempt"),
]


@dataclass
class Client:
    """A caller and a reader of one execution, who notes what it was told."""

    base_url: str
    key: str
    accepted: str | None = None
    cancelled: bool = False
    replayed: bool = False
    frames: list[str] = field(default_factory=list)
    """Whole frames of logged events, as they came."""

    async def use(self, workflow_id: str, folder: Path, *, cancel: bool = False) -> None:
        """Execute a workflow and read its events until the stream or the server ends."""
        async with self.connection() as client:
            try:
                response = await client.post(
                    f"/v1/workflows/{workflow_id}/execute",
                    json={"inputs": {"folder": str(folder)}},
                    headers={"Idempotency-Key": "once"},
                )
                assert response.status_code == 202, response.text
                self.replayed = "Idempotent-Replayed" in response.headers
                self.accepted = response.json()["data"]["execution_id"]
                await self._read(client, cancel)
            except httpx2.TransportError:
                pass  # the server has died

    def connection(self) -> httpx2.AsyncClient:
        return http_client(self.base_url, self.key)

    async def _read(self, client: httpx2.AsyncClient, cancel: bool) -> None:
        path = f"/v1/executions/{self.accepted}"
        last = self.frames[-1].split("\n", 1)[0].removeprefix("id: ") if self.frames else "0"
        async with client.stream(
            "GET",
            f"{path}/events?include=node:retrying",
            headers={"Last-Event-ID": last},
        ) as response:
            received = ""
            async for text in response.aiter_text():
                received += text
                *whole, received = received.split("\n\n")
                self.frames += [frame for frame in whole if frame.startswith("id: ")]
                if cancel and any("event: node:started" in frame for frame in self.frames):
                    cancel = False
                    answer = await client.post(f"{path}/cancel")
                    self.cancelled = answer.status_code == 200


async def stored_events(folder: Path) -> list[Event] | None:
    """Return the log of the only execution there is; ``None`` if there is none."""
    async with await Storage.open(database_url(folder)) as storage:
        page = await storage.executions.list("default")
        if not page.items:
            return None
        records = await storage.log.read(page.items[0].id, after=0, limit=1_000)
    return [decode_event(record.data, record.number) for record in records]


WRITES_WITH_POINTS = {point.write for point in (*POINTS, *CANCEL_POINTS, *RECOVERY_POINTS)}


def stages_done(point: Point, stages: tuple[tuple[str, ...], ...]) -> int:
    """Return how many of *stages* are durable after a stop at *point*."""
    [index] = [index for index, stage in enumerate(stages) if point.write in stage]
    committed = point.action == "publish" or (point.moment, point.action) == ("after", "commit")
    return index + committed


async def recover(
    prepared: Prepared, client: Client, workflow_id: str = "two"
) -> tuple[list[Event], dict[str, Any]]:
    """Start another server, repeat the request, read on; return the log and the execution, after
    checking what holds of every one."""
    before = await stored_events(prepared.folder)
    accepted = client.accepted
    async with live_server(prepared.folder, nodes=(NODES,)) as server:
        client.base_url = server.base_url
        await client.use(workflow_id, prepared.folder)
        assert accepted in (None, client.accepted)
        assert client.replayed == (before is not None)
        async with client.connection() as connection:
            everything = Client(server.base_url, client.key, client.accepted)
            await everything.use(workflow_id, prepared.folder)
            found = (await connection.get(f"/v1/executions/{client.accepted}")).json()["data"]
            page = (await connection.get("/v1/executions")).json()
    assert page["pagination"]["total_count"] == 1
    assert client.frames == everything.frames, "the reader missed or repeated something"
    events = await stored_events(prepared.folder)
    assert events is not None
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.number for event in events if event.terminal] == [len(events)]
    assert events[: len(before or [])] == (before or [])
    assert events[-1].type == f"execution:{found['status']}"
    assert found["completed_at"] is not None
    attempts: dict[str, list[int]] = {}
    for event in of_type(events, "node:started"):
        attempts.setdefault(event.node_id, []).append(event.attempt)
    assert all(made == list(range(1, len(made) + 1)) for made in attempts.values())
    return events, found


def running_at_the_end_of(events: list[Event]) -> set[str]:
    ended = {event.node_id for event in of_type(events, "node:completed")}
    return {event.node_id for event in of_type(events, "node:started")} - ended


def assert_each_attempt_had_its_effect_once(folder: Path) -> None:
    made = effects(folder)
    assert {node for node, _ in made} == {"n1", "n2"}
    assert set(made.values()) == {1}, made


async def crash(
    prepared: Prepared, point: Point, workflow_id: str = "two", *, cancel: bool = False
) -> Client:
    with crash_process(prepared.folder, point) as process:
        client = Client(process.base_url(), prepared.key)
        await client.use(workflow_id, prepared.folder, cancel=cancel)
        process.assert_killed()
    return client


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_an_execution_goes_on_from_what_was_committed(
    prepared: Prepared, point: Point
) -> None:
    client = await crash(prepared, point)
    before = await stored_events(prepared.folder)
    done = stages_done(point, STAGES)
    assert (before is None) == (done == 0)
    started = {event.node_id for event in of_type(before or [], "node:started")}
    assert started - {"folder"} == set(("n1", "n2")[: max(0, min(done, 3) - 1)])
    assert any(event.terminal for event in before or []) == (done == len(STAGES))
    assert len(client.frames) <= len(before or []), "it told of what was not durable"

    events, execution = await recover(prepared, client)
    assert execution["status"] == "completed"
    interrupted = {event.node_id for event in of_type(events, "node:retrying")}
    assert interrupted == running_at_the_end_of(before or [])
    assert_each_attempt_had_its_effect_once(prepared.folder)


@pytest.mark.parametrize("point", around("effect", "n1"), ids=str)
async def test_an_attempt_that_was_cut_off_is_followed_by_another_one(
    prepared: Prepared, point: Point
) -> None:
    client = await crash(prepared, point)
    await recover(prepared, client)
    first = [("n1", 1)] if point.moment == "after" else []
    assert effects(prepared.folder) == Counter([*first, ("n1", 2), ("n2", 1)])


@pytest.mark.parametrize("point", CANCEL_POINTS, ids=str)
async def test_a_cancellation_is_there_or_it_was_not_acknowledged(
    prepared: Prepared, point: Point
) -> None:
    client = await crash(prepared, point, "held", cancel=True)
    assert not client.cancelled
    (prepared.folder / "released").touch()
    _, execution = await recover(prepared, client, "held")
    done = stages_done(point, (CANCELLATION,))
    assert execution["status"] == ("cancelled" if done else "completed")


@pytest.mark.parametrize("point", RECOVERY_POINTS, ids=str)
async def test_a_recovery_that_is_cut_off_is_taken_up_by_the_next(
    prepared: Prepared, point: Point
) -> None:
    client = await crash(prepared, Point("after", "effect", "n1"))
    with crash_process(prepared.folder, point) as process:
        process.assert_killed()
    recorded = await stored_events(prepared.folder)
    assert recorded is not None
    done = stages_done(point, RECOVERY)
    types = Counter(event.type for event in recorded)
    assert types["node:retrying"] == (done > 0)
    assert of_type(recorded, "node:started")[-1].attempt == (2 if done > 1 else 1)
    await recover(prepared, client)
    assert_each_attempt_had_its_effect_once(prepared.folder)


async def test_what_was_acknowledged_stays_when_the_server_dies_at_once(
    prepared: Prepared,
) -> None:
    with crash_process(prepared.folder, None) as process:
        client = Client(process.base_url(), prepared.key)
        await client.use("held", prepared.folder, cancel=True)
        assert client.cancelled
    _, execution = await recover(prepared, client, "held")
    assert execution["status"] == "cancelled"
