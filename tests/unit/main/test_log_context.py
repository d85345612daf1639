from __future__ import annotations

import asyncio
import logging
from typing import Any

from flowmaestro.engine.log_context import (
    ContextFilter,
    detached,
    reset_log_fields,
    set_log_fields,
)


def written(**given: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"msg": "x", **given})
    assert ContextFilter().filter(record)
    return vars(record)


def test_without_fields_a_record_stays_as_it_is() -> None:
    assert "request_id" not in written()


def test_what_came_with_the_record_wins() -> None:
    token = set_log_fields({"execution_id": "exec_1", "node_id": "a"})
    fields = written(execution_id="exec_2")
    reset_log_fields(token)
    assert (fields["execution_id"], fields["node_id"]) == ("exec_2", "a")
    assert "node_id" not in written()


async def test_tasks_and_threads_inherit_the_fields_and_do_not_share_them() -> None:
    async def inside(request_id: str) -> tuple[str, str]:
        set_log_fields({"request_id": request_id})
        await asyncio.sleep(0)
        in_a_thread = await asyncio.to_thread(written)
        return written()["request_id"], in_a_thread["request_id"]

    found = await asyncio.gather(inside("req_1"), inside("req_2"))
    assert tuple(found) == (("req_1", "req_1"), ("req_2", "req_2"))
    assert "request_id" not in written()


def test_what_is_detached_has_no_fields() -> None:
    token = set_log_fields({"request_id": "req_1"})
    fields = detached().run(written)
    reset_log_fields(token)
    assert "request_id" not in fields
