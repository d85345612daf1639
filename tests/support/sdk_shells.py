"""Both of the SDK's clients behind one face, so that each test runs with both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from flowmaestro.client import (
    AsyncFlowMaestroClient,
    Backoff,
    Execution,
    FlowMaestroClient,
    StreamEvent,
)

KEY = "fm_test_0123456789"
QUICK = Backoff(base_seconds=0.001, max_seconds=0.01)

Result = TypeVar("Result")


class Shell(Protocol):
    """What the tests need of a client."""

    def stream(self, url: str, *, stop_after: int | None = None, **options: Any) -> Any:
        """Return the events of ``exec_01jx``: all, or the first *stop_after*."""

    def wait(self, url: str, *, timeout_seconds: float | None = None) -> Execution:
        """Wait for the completion of ``exec_01jx``."""

    def call(self, url: str, method: Callable[[Any], Any]) -> Any:
        """Return what *method* of a client returns."""


def client_options(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Take the client's options out of *options*, and return them."""
    taken = {"base_url": url, "backoff": QUICK}
    for name in ("stall_seconds", "timeout_seconds", "max_retries"):
        if f"client_{name}" in options:
            taken[name] = options.pop(f"client_{name}")
    return taken


class SyncShell:
    def stream(
        self, url: str, *, stop_after: int | None = None, **options: Any
    ) -> list[StreamEvent]:
        events = []
        with FlowMaestroClient(KEY, **client_options(url, options)) as client:
            for event in client.executions.stream("exec_01jx", **options):
                events.append(event)
                if len(events) == stop_after:
                    break
        return events

    def wait(self, url: str, *, timeout_seconds: float | None = None) -> Execution:
        with FlowMaestroClient(KEY, base_url=url, backoff=QUICK) as client:
            return client.executions.wait_for_completion(
                "exec_01jx", timeout_seconds=timeout_seconds
            )

    def call(self, url: str, method: Callable[[Any], Any]) -> Any:
        with FlowMaestroClient(KEY, base_url=url, backoff=QUICK) as client:
            return method(client)


class AsyncShell:
    def stream(
        self, url: str, *, stop_after: int | None = None, **options: Any
    ) -> list[StreamEvent]:
        async def run() -> list[StreamEvent]:
            events = []
            async with AsyncFlowMaestroClient(KEY, **client_options(url, options)) as client:
                async for event in client.executions.stream("exec_01jx", **options):
                    events.append(event)
                    if len(events) == stop_after:
                        break
            return events

        return asyncio.run(run())

    def wait(self, url: str, *, timeout_seconds: float | None = None) -> Execution:
        async def run() -> Execution:
            async with AsyncFlowMaestroClient(KEY, base_url=url, backoff=QUICK) as client:
                return await client.executions.wait_for_completion(
                    "exec_01jx", timeout_seconds=timeout_seconds
                )

        return asyncio.run(run())

    def call(self, url: str, method: Callable[[Any], Any]) -> Any:
        async def run() -> Any:
            async with AsyncFlowMaestroClient(KEY, base_url=url, backoff=QUICK) as client:
                return await method(client)

        return asyncio.run(run())
