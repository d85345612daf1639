"""The server process: one uvicorn, its signals, and an end that comes in time.

From the first signal it has ten seconds, whatever the nodes do::

    0 s      readyz says 503, new work is refused, every stream ends on a whole frame,
             running nodes may finish
    ≤ 8 s    the nodes that did not are cancelled (7 s of grace at most, and one to obey)
    ≤ 9 s    connections are closed, then the storage
    9.5 s    a watchdog outside Python ends what still hangs

A second signal ends it at once, which loses nothing: what was acknowledged is on the disk.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import uvicorn

from flowmaestro.main.composition import Running, running
from flowmaestro.main.descriptors import (
    raise_descriptor_limit,
    room_for_connections,
    room_for_streams,
)
from flowmaestro.main.http_protocol import http_protocol
from flowmaestro.main.logs import configure_logging
from flowmaestro.main.settings import InvalidSettings, Settings, unknown_variables
from flowmaestro.storage import StorageError

SHUTDOWN_LIMIT_SECONDS = 9.5
DRAIN_MARGIN_SECONDS = 1.5
CONNECTION_GRACE_SECONDS = 1
TASK_GRACE_SECONDS = 0.3
THREAD_GRACE_SECONDS = 0.3
KEEP_ALIVE_SECONDS = 75
"""Longer than the usual client's or proxy's: who closes first must not be us, or a request that is
on its way is lost."""

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Run the server until SIGTERM or SIGINT, and return the process's exit code.

    Prints ``listening on http://HOST:PORT`` on standard output when it answers; everything else
    goes to standard error. What keeps it from starting is one line there, and 1.

    It takes over the process's logging and signals, and must run in the main thread.
    """
    configure_logging(
        level=settings.log_level,
        log_format=settings.log_format,
        secrets=settings.secret_values(),
    )
    if unknown := unknown_variables():
        logger.warning("no settings, and passed over: %s", ", ".join(unknown))
    try:
        listener = listen(settings.host, settings.port, settings.stalled_reader_seconds)
    except OSError as error:
        reason = error.strerror or str(error)
        return _refuse(f"cannot listen on {settings.host}:{settings.port}: {reason}")
    before = set(threading.enumerate())
    runner = asyncio.Runner(loop_factory=_new_event_loop)
    # Ours, so that it can be let go of at the end: the loop's own would be waited for.
    workers = ThreadPoolExecutor(thread_name_prefix="flowmaestro-worker")
    runner.get_loop().set_default_executor(workers)
    try:
        status = runner.run(_serve(settings, listener))
    except (StorageError, InvalidSettings) as error:
        status = _refuse(str(error))
    except KeyboardInterrupt:  # before uvicorn has the signals: nothing has begun
        status = 130
    finally:
        listener.close()
    _leave(runner, workers, before, status)
    return status


async def _serve(settings: Settings, listener: socket.socket) -> int:
    descriptors = raise_descriptor_limit()
    room = room_for_streams(descriptors)
    room_for_all = room_for_connections(descriptors)
    limits = {
        "max_streams": settings.max_streams or room,
        "max_connections": settings.max_connections or room_for_all,
    }
    async with running(settings.model_copy(update=limits)) as parts:
        if room is not None:
            logger.info("the limit of open files has room for %d streams", room)
        for name, there_is in (("max_streams", room), ("max_connections", room_for_all)):
            wanted = getattr(settings, name)
            if wanted is not None and there_is is not None and wanted > there_is:
                logger.warning(
                    "FLOWMAESTRO_%s is %d, and the limit of open files has room for %d: raise it",
                    *(name.upper(), wanted, there_is),
                )
        server = Server(uvicorn_config(parts), parts, address=_address(settings.host, listener))
        # What the start made stays until the end: the collector need not look at it again.
        gc.freeze()
        gc.enable()  # whoever started us may have spared the imports its work
        await server.serve(sockets=[listener])
    logger.info("stopped")
    return 0


class Server(uvicorn.Server):
    """uvicorn's server, with our shutdown before its own."""

    def __init__(self, config: uvicorn.Config, parts: Running, *, address: str) -> None:
        super().__init__(config)
        self._parts = parts
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"listening on {self._address}\n")
        sys.stdout.flush()
        logger.info("listening", extra={"address": self._address})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        self._parts.lifecycle.shutting_down = True
        # A thread of C, which runs even while a node holds the interpreter.
        if sys.__stderr__ is not None:
            faulthandler.dump_traceback_later(
                SHUTDOWN_LIMIT_SECONDS, exit=True, file=sys.__stderr__
            )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("shutting down")
        # The listener stays open for as long: whoever asks is told 503 instead of nothing.
        await _within(
            self._parts.grace_seconds + DRAIN_MARGIN_SECONDS, self._parts.drain, what="draining"
        )
        await super().shutdown(sockets)


async def _within(seconds: float, action: Callable[[], Awaitable[None]], *, what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await action()
    except TimeoutError:
        logger.warning("%s took too long", what)
    except Exception:
        logger.exception("%s failed", what)


def uvicorn_config(parts: Running) -> uvicorn.Config:
    """Return how uvicorn runs the server of *parts*: our protocol, our logs, no lifespan."""
    return uvicorn.Config(
        parts.app,
        interface="asgi3",
        http=http_protocol(parts.connection_limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CONNECTION_GRACE_SECONDS,
    )


def listen(host: str, port: int, vanished_seconds: float) -> socket.socket:
    """Return a listening socket.

    Args:
        host: a name or an address.
        port: 0 for any.
        vanished_seconds: how long a client may acknowledge nothing of what it was sent before the
            system takes its connection for dead (RFC 5482), where the system can.

    Raises:
        OSError: it cannot be listened there.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # connections inherit it; the default is a quarter of an hour
            listener.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(vanished_seconds * 1000)
            )
        listener.bind(address)
        # At once: until one of them listens, two sockets may be bound to the same port.
        listener.listen(2048)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return 1


def _leave(
    runner: asyncio.Runner,
    workers: ThreadPoolExecutor,
    before: set[threading.Thread],
    status: int,
) -> None:
    """Close the event loop; if something in it cannot be stopped, end the process instead.

    Closing the loop, and Python's own exit, would wait for tasks of nodes that refuse to be
    cancelled, and for threads that began since *before*, such as their ``asyncio.to_thread`` calls.
    """
    refusing = runner.run(_cancel_tasks())
    workers.shutdown(wait=False, cancel_futures=True)
    begun = [thread for thread in threading.enumerate() if thread not in before]
    hanging = [thread for thread in begun if not thread.daemon]
    deadline = time.monotonic() + THREAD_GRACE_SECONDS
    for thread in hanging:
        thread.join(max(0.0, deadline - time.monotonic()))
    if refusing or any(thread.is_alive() for thread in hanging):
        logger.warning("some nodes could not be stopped: they end with the process")
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    runner.close()
    faulthandler.cancel_dump_traceback_later()


async def _cancel_tasks() -> bool:
    """Cancel every task there is, and return whether some go on all the same."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if not tasks:
        return False
    _, refusing = await asyncio.wait(tasks, timeout=TASK_GRACE_SECONDS)
    return bool(refusing)
