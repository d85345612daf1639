"""How many requests are answered at once, and which are turned away before they cost anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from flowmaestro.api.errors import unavailable

LEAVE_KEY: Final = "flowmaestro.leave_admission"
"""Where the ASGI scope holds what a request calls when something else counts it from then on."""

_EXECUTE = re.compile(r"(?:/api)?/v1/workflows/[^/]+/execute")
_ALWAYS_ANSWERED: Final = frozenset(
    prefix + path
    for prefix in ("", "/api/v1", "/v1")
    for path in ("/healthz", "/metrics", "/readyz")
)
"""What says how a server is must be heard when it is not well."""


class RequestCount:
    """How many requests are being answered. Streams and long polls are not among them: they are
    counted by the hub's admission, which has bounds of its own."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = 0
        self.refused = 0
        """How often there were too many, since the start."""

    def queues(self) -> dict[str, tuple[int, int | None]]:
        """Return how many there are, and how many there may be."""
        return {"requests": (self.under_way, self.limit)}


class AdmissionMiddleware:
    """Answers 503 with ``Retry-After``, at next to no cost, where more would only make all wait.

    * To any request while as many as *count* allows are being answered.
    * To a request for an execution while the engine is overloaded, before its key is looked up or
      its body read: what is refused must cost little, or refusing it would be the overload.

    Args:
        app: the layer inside.
        count: of the requests under way.
        check_overload: raises what says that no execution would be accepted just now.
    """

    def __init__(
        self, app: ASGIApp, count: RequestCount, check_overload: Callable[[], None]
    ) -> None:
        self._app = app
        self._count = count
        self._check_overload = check_overload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        count = self._count
        if count.under_way >= count.limit:
            count.refused += 1
            raise unavailable(
                f"The server is answering {count.limit} requests, as many as it does at once.",
                retry_after_seconds=1,
            )
        if scope["method"] == "POST" and _EXECUTE.fullmatch(scope["path"]):
            self._check_overload()
        counted = True
        count.under_way += 1

        def leave() -> None:
            nonlocal counted
            if counted:
                counted = False
                count.under_way -= 1

        scope[LEAVE_KEY] = leave
        try:
            await self._app(scope, receive, send)
        finally:
            leave()


def leave_admission(scope: Scope) -> None:
    """No longer count the request of *scope* among those that are being answered."""
    leave: Callable[[], None] | None = scope.get(LEAVE_KEY)
    if leave is not None:
        leave()
