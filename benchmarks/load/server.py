"""``flowmaestro serve`` on a core of its own, and what can be seen of it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.fanout.machine import CpuTime, memory_bytes
from benchmarks.load import nodes

VITALS_SECONDS = 10.0


class Server:
    """The process; it ends with the block."""

    def __init__(self, folder: Path, *, core: int, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._database = folder / "load.db"
        self._errors = (folder / "server.log").open("wb")
        self._environment = {
            **{name: value for name, value in os.environ.items() if "FLOWMAESTRO" not in name},
            "FLOWMAESTRO_DATABASE": str(self._database),
            "FLOWMAESTRO_PORT": "0",
            "FLOWMAESTRO_NODES": nodes.__name__,
            "FLOWMAESTRO_LOG_FORMAT": "json",
            **environment,
        }
        self._process = subprocess.Popen(
            ["taskset", "-c", str(core), sys.executable, "-m", "flowmaestro", "serve"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit(f"the server did not start:\n{self.said()}")
        self.port = int(line.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def vitals_path(self) -> Path:
        return self._folder / "vitals.json"

    def create_key(self) -> str:
        """Return a new key for everything, without a rate limit."""
        command = [sys.executable, "-m", "flowmaestro", "keys", "create", "--name", "load"]
        command += ["--bundle", "full-access", "--rate-limit-per-minute", "0"]
        done = subprocess.run(
            command, check=True, env=self._environment, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()

    def measure(self) -> dict[str, Any]:
        """Return memory, descriptors, threads, tasks, CPU time and the size of the database."""
        resident, _ = memory_bytes([self.pid])
        size = sum(
            path.stat().st_size
            for suffix in ("", "-wal", "-shm")
            if (path := Path(f"{self._database}{suffix}")).exists()
        )
        return {
            "resident_bytes": resident,
            "descriptors": len(os.listdir(f"/proc/{self.pid}/fd")),
            "threads": len(os.listdir(f"/proc/{self.pid}/task")),
            "cpu_seconds": CpuTime.read([self.pid]).used_seconds,
            "database_bytes": size,
            "tasks": self.vitals()["tasks"],
            "kept_bytes": self.vitals().get("kept_bytes", 0),
        }

    def vitals(self) -> dict[str, Any]:
        """Return what the node inside has seen last; nothing yet is no tasks."""
        try:
            found: dict[str, Any] = json.loads(self.vitals_path.read_text())
        except FileNotFoundError:
            found = {"tasks": 0}
        return found

    def collect_garbage(self) -> None:
        """Have the server collect its garbage, and return when it has."""
        request = Path(f"{self.vitals_path}.collect")
        request.touch()
        deadline = time.monotonic() + VITALS_SECONDS
        while request.exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def said(self) -> str:
        """Return the end of its log."""
        return (self._folder / "server.log").read_text(errors="replace")[-4000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
