"""Processes that stop at a point, forked from one that has imported everything: they cost
milliseconds, so that every point can have a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from flowmaestro.cli.app import run as run_command
from tests.support import crash_nodes
from tests.support.crash_points import Point, arm
from tests.support.server import database_url

NODES = str(Path(crash_nodes.__file__))
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["flowmaestro.main.server", "uvloop", "tests.support.crash_process"])
TIMEOUT_SECONDS = 30


class CrashProcess:
    """A process of ours on the database in *folder*, to be killed at *point*.

    Args:
        folder: where its database is, and what it writes to standard error.
        point: where to stop; ``None``: nowhere.
        environment: settings, as environment variables.
        command: arguments of ``flowmaestro``.
        record_to: a file for the names of what it writes.
    """

    def __init__(
        self,
        folder: Path,
        point: Point | None,
        *,
        environment: Mapping[str, str] | None = None,
        command: tuple[str, ...] = ("serve",),
        record_to: Path | None = None,
    ) -> None:
        self._point = point
        self._log = folder / "process.log"
        settings = {
            "FLOWMAESTRO_DATABASE": database_url(folder),
            "FLOWMAESTRO_PORT": "0",
            "FLOWMAESTRO_NODES": NODES,
            **(environment or {}),
        }
        ours, theirs = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(
            target=_run, args=(settings, command, point, record_to, theirs, self._log)
        )
        self._process.start()
        theirs.close()
        self._output = os.fdopen(os.dup(ours.fileno()))
        ours.close()

    def read_line(self) -> str:
        """Return the next line that it prints, empty when it has ended."""
        return self._output.readline()

    def base_url(self) -> str:
        """Return where it listens, once it does; empty when it has ended."""
        return self.read_line().removeprefix("listening on ").strip()

    def assert_killed(self) -> None:
        """Wait for its end, and fail unless it killed itself at its point."""
        self._process.join(TIMEOUT_SECONDS)
        assert self._process.exitcode == -signal.SIGKILL, (
            f"it did not come to {self._point} (exit code {self._process.exitcode})\n"
            f"{self._log.read_text()}"
        )

    def stop(self) -> None:
        """Ask a server to end, and wait until it has done so well."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGTERM)
        self.finish()

    def finish(self) -> None:
        """Wait until it has ended well."""
        self._process.join(TIMEOUT_SECONDS)
        assert self._process.exitcode == 0, self._log.read_text()

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._output.close()


@contextlib.contextmanager
def crash_process(
    folder: Path,
    point: Point | None,
    *command: str,
    environment: Mapping[str, str] | None = None,
    record_to: Path | None = None,
) -> Iterator[CrashProcess]:
    """Run a :class:`CrashProcess` until the end of the block at most."""
    process = CrashProcess(
        folder, point, environment=environment, command=command or ("serve",), record_to=record_to
    )
    try:
        yield process
    finally:
        process.close()


def _run(
    settings: Mapping[str, str],
    command: tuple[str, ...],
    point: Point | None,
    record_to: Path | None,
    output: Connection,
    log: Path,
) -> None:
    for name in [name for name in os.environ if name.startswith("FLOWMAESTRO_")]:
        del os.environ[name]
    os.environ.update(settings)
    os.dup2(output.fileno(), 1)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    arm(point, record_to)
    sys.exit(run_command(command))
