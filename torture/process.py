"""The server's process: started, stopped, killed, frozen, and watched from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from torture.subject import Command

START_SECONDS = 60.0
STOP_SECONDS = 10.0
"""What a server may take from SIGTERM to its end."""
_SLOW_MACHINE_SECONDS = 10.0
"""More than that on a machine that does much else."""
_SHOWN_LOG_LINES = 20


class ServerFailed(Exception):
    """The server did not start, or ended by itself; the message has what it said last."""


def send_signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to *process* if it has not ended.

    Its own methods would look whether it has, and so take its exit status from whoever waits.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


class Server:
    """One server, over any number of its processes.

    Args:
        command: what starts it.
        folder: where it is started, and where what it says goes (``server.log``).
    """

    def __init__(self, command: Command, folder: Path) -> None:
        self.recoveries_seconds: list[float] = []
        """From each SIGKILL to the moment at which a new process answered."""
        self.starts = 0
        self._command = command
        self._folder = folder
        self._log = folder / "server.log"
        self._process: asyncio.subprocess.Process | None = None
        self._killed_at: float | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def launch(self) -> None:
        """Start a process, and do not wait for it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command.arguments,
                cwd=self._folder,
                env={**os.environ, **self._command.environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self.starts += 1

    async def start(self) -> None:
        """Start a process, and return when it answers.

        Raises:
            ServerFailed: it does not.
        """
        await self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while line := await self._process.stdout.readline():
                    if b"listening" in line:
                        self._answers()
                        return
        raise ServerFailed(f"the server did not start:\n{self.last_words()}")

    def _answers(self) -> None:
        if self._killed_at is not None:
            self.recoveries_seconds.append(time.monotonic() - self._killed_at)
            self._killed_at = None

    async def kill(self) -> None:
        """End it as the kernel does when memory runs out: at once, wherever it is."""
        assert self._process is not None
        send_signal(self._process, signal.SIGKILL)
        self._killed_at = self._killed_at or time.monotonic()
        await self._process.wait()

    async def stop(self) -> str | None:
        """Ask it to end; return what was wrong with how it did, if anything."""
        assert self._process is not None
        began = time.monotonic()
        send_signal(self._process, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS + _SLOW_MACHINE_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            await self.kill()
            return f"it did not end within {time.monotonic() - began:.1f} s of SIGTERM"
        return f"it ended with {status} on SIGTERM" if status else None

    def freeze(self) -> None:
        """Give it no time of the processor until :meth:`thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def last_words(self) -> str:
        """Return the end of what it has written to standard error."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_SHOWN_LOG_LINES:])
