"""What runs inside the server that is measured: its module of node types."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import time
from pathlib import Path

from flowmaestro import NodeContext, function

EVENT_NAME = "node:log"


@function("beat")
async def beat(context: NodeContext, seconds: float, per_second: float) -> None:
    """Say something at a steady pace: each message tells when it came to be, and its number."""
    begun = time.monotonic()
    number = 0
    while (due := begun + number / per_second) < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        number += 1
        context.log(f"n={number} t={time.monotonic_ns()}")


@function("trivial")
async def trivial(value: str) -> dict[str, str]:
    """Return at once."""
    return {"value": value}


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def trim() -> None:
    """Have the allocator give back what it keeps, where it is glibc's."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@function("vitals")
async def vitals(path: str) -> None:
    """Keep in a file how many tasks there are; when ``PATH.collect`` is there, remove it, collect
    garbage first, and say how much of what is resident the allocator only keeps for later."""
    target, request = Path(path), Path(path + ".collect")
    kept_bytes = 0
    while True:
        if request.exists():
            gc.collect()
            before = resident_bytes()
            trim()
            kept_bytes = before - resident_bytes()
            request.unlink()
        text = json.dumps({"tasks": len(asyncio.all_tasks()), "kept_bytes": kept_bytes})
        scratch = target.with_suffix(".new")
        scratch.write_text(text)
        scratch.replace(target)
        await asyncio.sleep(0.5)
