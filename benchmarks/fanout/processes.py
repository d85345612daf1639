"""A child process that is told things line by line and answers in JSON."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_SECONDS = 120.0


class ProcessFailed(Exception):
    """A process ended, or did not answer in time; the message has what it said last."""


class Process:
    """Runs a command pinned to one core. At the end of its input it ends, or is killed."""

    def __init__(self, command: Sequence[str], *, core: int, folder: Path) -> None:
        self._name = " ".join(command)[:120]
        self._errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with it
        self._process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._unread = b""

    @property
    def pid(self) -> int:
        """Of the command itself: ``taskset`` becomes it."""
        return self._process.pid

    def tell(self, *words: object) -> None:
        """Give it a line. Its answer is taken by :meth:`answer`."""
        try:
            self._input.write(" ".join(map(str, words)).encode() + b"\n")
            self._input.flush()
        except BrokenPipeError:
            raise self._failure("ended") from None

    def answer(self, timeout_seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Return its next line, which is JSON; other lines are passed over."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                if line.startswith(b"{"):
                    found: dict[str, Any] = json.loads(line)
                    return found
                continue
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._output], [], [], left)[0]:
                raise self._failure(f"did not answer within {timeout_seconds:g} s")
            part = self._output.raw.read(1 << 20)  # type: ignore[attr-defined]
            if not part:
                raise self._failure("ended")
            self._unread += part

    def ask(self, *words: object, timeout_seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Give it a line, and return its answer."""
        self.tell(*words)
        return self.answer(timeout_seconds)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The end of its input ends it, as it does should *this* process be killed.
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._output.close()
        self._errors.close()

    def _failure(self, what: str) -> ProcessFailed:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-2000:]
        return ProcessFailed(f"{self._name} {what}\n{said}")


def request_head(path: str, headers: Mapping[str, str]) -> str:
    """Return the request by which a reader asks for a stream."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines) + "\r\n\r\n"
