"""A real server for tests: in this process or in one of its own, on a free port of the loopback
interface, with a database in a temporary folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from flowmaestro.api.keys import BUNDLES, display_prefix, generate_key, hash_key
from flowmaestro.main import Running, Settings, running
from flowmaestro.main.server import Server, listen, uvicorn_config
from flowmaestro.storage import ApiKey, NewKey, Storage
from tests.support.clock import MovedClock

SERVE = (
    "from flowmaestro.main import load_settings, serve; raise SystemExit(serve(load_settings()))"
)


async def create_key(
    storage: Storage,
    *,
    workspace: str = "default",
    scopes: frozenset[str] = BUNDLES["full-access"],
    expires_at: datetime | None = None,
    rate_limit_per_minute: int = 0,
    rate_limit_per_day: int = 0,
) -> tuple[str, ApiKey]:
    """Store a new key and return it with what was stored of it."""
    key = generate_key("test")
    stored = await storage.keys.create(
        NewKey(
            name="test",
            workspace=workspace,
            environment="test",
            scopes=scopes,
            key_hash=hash_key(key),
            prefix=display_prefix(key),
            created_at=datetime.now(UTC),
            expires_at=expires_at,
            rate_limit_per_minute=rate_limit_per_minute,
            rate_limit_per_day=rate_limit_per_day,
        )
    )
    return key, stored


def database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'flowmaestro.db'}"


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def http_client(base_url: str, key: str | None, **options: Any) -> httpx2.AsyncClient:
    """Return a client of the server at *base_url* with *key*, ``None`` for none."""
    headers = dict(options.pop("headers", {}))
    if key is not None:
        headers["X-API-Key"] = key
    # No certificates are loaded for it: that takes longer than most requests of the tests.
    options = {"timeout": 30, "trust_env": False, "verify": False, **options}
    return httpx2.AsyncClient(base_url=base_url, headers=headers, **options)


@dataclass(frozen=True)
class LiveServer:
    """A server that runs in this process and event loop."""

    base_url: str
    parts: Running
    key: str
    """A key for everything in the workspace ``default``."""

    def client(self, key: str | None = "", **options: Any) -> httpx2.AsyncClient:
        """Return a client with *key* (the server's own by default, ``None`` for none)."""
        return http_client(self.base_url, self.key if key == "" else key, **options)

    async def new_key(self, **options: Any) -> str:
        """Store a new key, see :func:`create_key`, and return it."""
        return (await create_key(self.parts.storage, **options))[0]


class _EmbeddedServer(Server):
    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()  # they are the test runner's


@contextlib.asynccontextmanager
async def live_server(folder: Path, **settings: Any) -> AsyncIterator[LiveServer]:
    """Run a server in this event loop, with a database in *folder* and further *settings*, and
    with *clock*, a :class:`MovedClock`, if that is among them."""
    clock = settings.pop("clock", None) or MovedClock()
    configured = Settings(
        **{
            "database": database_url(folder),
            "shutdown_grace_seconds": 1,
            "retention_interval_seconds": 3600,
            **settings,
        }
    )
    async with running(configured, clock=clock.now, steady=clock.steady) as parts:
        key, _ = await create_key(parts.storage)
        # As a server of its own listens: a socket that is not told to be TCP's would be given no
        # TCP_NODELAY by asyncio, and every answer would wait 40 ms for an acknowledgement.
        with listen("127.0.0.1", 0, configured.stalled_reader_seconds) as listener:
            base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server = _EmbeddedServer(uvicorn_config(parts), parts, address=base_url)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield LiveServer(base_url, parts, key)
            finally:
                server.should_exit = True
                await serving


class ServerProcess:
    """A server in a process of its own.

    Args:
        folder: where its database is.
        environment: settings, as environment variables.
        wrapper: a command that runs the rest of its arguments.
        program: the Python that it runs.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        wrapper: Sequence[str] = (),
        program: str = SERVE,
    ) -> None:
        self.folder = folder
        self._wrapper = wrapper
        self._program = program
        self._environment = {
            **{name: value for name, value in os.environ.items() if "FLOWMAESTRO" not in name},
            "FLOWMAESTRO_DATABASE": database_url(folder),
            "FLOWMAESTRO_PORT": "0",
            "FLOWMAESTRO_LOG_FORMAT": "json",
            **(environment or {}),
        }
        self.base_url = ""
        self._process: subprocess.Popen[str] | None = None
        self._log = folder / "server.log"

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """What it has written to standard error, over all its starts."""
        return self._log.read_text()

    def start(self) -> ServerProcess:
        """Start it, and return when it listens."""
        self.launch()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"{line!r}\n{self.log}"
        self.base_url = line.removeprefix("listening on ").strip()
        return self

    def launch(self) -> None:
        """Start it, and do not wait."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*self._wrapper, sys.executable, "-c", self._program],
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def stop(self, timeout_seconds: float = 15.0) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_seconds)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.wait()

    def wait(self, timeout_seconds: float = 15.0) -> int:
        """Wait for its end, and return its exit code."""
        code = self.process.wait(timeout_seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def client(self, key: str) -> httpx2.AsyncClient:
        """Return a client with *key*."""
        return httpx2.AsyncClient(
            base_url=self.base_url, headers={"X-API-Key": key}, timeout=30, trust_env=False
        )

    async def new_key(self, **options: Any) -> str:
        """Store a new key in its database, from outside; see :func:`create_key`."""
        async with await Storage.open(database_url(self.folder)) as storage:
            return (await create_key(storage, **options))[0]


@contextlib.contextmanager
def server_process(
    folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[ServerProcess]:
    """Run a server in a process of its own, and end it at the end of the block."""
    server = ServerProcess(folder, environment)
    try:
        yield server.start()
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.wait()
