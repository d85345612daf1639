"""How it is started and asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from torture.oracle import Effect, Frame
from torture.subject import Address, Command, Follow, Ledger, Request, View
from torture.subjects.in_memory import server


class InMemory:
    """The server of :mod:`torture.subjects.in_memory.server`.

    Args:
        flaw: what it is to do wrong; by default only what it cannot help.
    """

    name = "in-memory"
    terminal = frozenset({"ended"})
    opening: str | None = None
    views: Sequence[View] = (View("everything", lambda _name: True),)
    sdk_readers: Mapping[str, Follow] = {}

    def __init__(self, flaw: str = "") -> None:
        self._flaw = flaw

    def command(self, folder: Path, port: int) -> Command:
        arguments = [sys.executable, server.__file__, str(port), str(folder), self._flaw]
        return Command([argument for argument in arguments if argument])

    async def prepare(self, server: Address, random: Random) -> None:
        return None

    def execution(self, random: Random) -> Request:
        return Request("/executions", body=b"{}")

    def accepted(self, status: int, body: bytes) -> str | None:
        return str(json.loads(body)["id"]) if status == 202 else None

    def cancel(self, execution: str) -> Request | None:
        return None

    def stream(self, execution: str, cursor: int, view: View) -> Request:
        headers = {"Last-Event-ID": str(cursor)} if cursor else {}
        return Request(f"/executions/{execution}", headers)

    def executions(self, folder: Path) -> list[str]:
        return list(self._logs(folder))

    def log(self, folder: Path, execution: str) -> list[Frame]:
        log = self._logs(folder).get(execution, [])
        return [
            Frame(number, "ended" if number == server.EVENTS else "step", data.encode())
            for number, data in enumerate(log, 1)
        ]

    def _logs(self, folder: Path) -> dict[str, list[str]]:
        path = folder / "executions.json"
        logs: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
        return logs

    def effects(self, folder: Path) -> list[Effect]:
        return []

    def ledger(self, execution: str, log: Sequence[Frame]) -> Ledger:
        return Ledger()

    async def gauges(self, server: Address) -> Mapping[str, float]:
        return {}
