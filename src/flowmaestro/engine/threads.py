"""Threads for nodes that are written without ``async``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreadExecutor(Executor):
    """Runs each call in a daemon thread of its own.

    A pool would be the wrong thing twice: a function that hangs would keep a worker from the nodes
    behind it for good, and would keep the process from exiting. How many threads run at once is
    bounded by the engine's node slots; a function that was given up keeps its thread.
    """

    def __init__(self) -> None:
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start *fn* in a new thread. Raises :class:`RuntimeError` after ``shutdown``."""
        if self._closed:
            raise RuntimeError("the executor is shut down")
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=call, name="flowmaestro-node", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further calls. Running ones are not waited for: nothing can stop them."""
        del wait, cancel_futures
        self._closed = True
