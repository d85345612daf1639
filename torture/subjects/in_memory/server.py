"""The server: ``python server.py PORT FOLDER [FLAW]``.

``POST /executions`` begins one of twenty events; ``GET /executions/ID`` streams it after
``Last-Event-ID``. When it is asked to end it writes down what it has; what it had when it is killed
is gone. A FLAW makes it err on purpose: ``drops`` leaves an event out when a reader resumes,
``repeats`` sends the last one again, ``swaps`` sends two in the wrong order, ``alters`` changes
one, ``goes on`` sends something after the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

EVENTS = 20
_SECONDS_BETWEEN = 0.02


class Executions:
    """All executions, and a signal for whoever waits for a further event."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "executions.json"
        self.logs: dict[str, list[str]] = {}
        self._news = asyncio.Condition()
        self._running: set[asyncio.Task[None]] = set()
        if self._file.exists():
            self.logs = json.loads(self._file.read_text())
        for execution in self.logs:
            self._continue(execution)

    def begin(self) -> str:
        execution = f"e{os.urandom(8).hex()}"
        self.logs[execution] = []
        self._continue(execution)
        return execution

    def _continue(self, execution: str) -> None:
        task = asyncio.create_task(self._run(execution))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, execution: str) -> None:
        log = self.logs[execution]
        while len(log) < EVENTS:
            await asyncio.sleep(_SECONDS_BETWEEN)
            log.append(json.dumps({"execution": execution, "step": len(log) + 1}))
            async with self._news:
                self._news.notify_all()

    async def longer_than(self, length: int, log: list[str]) -> None:
        """Wait until *log* is."""
        async with self._news:
            await self._news.wait_for(lambda: len(log) > length)

    def save(self) -> None:
        self._file.write_text(json.dumps(self.logs))


class Service:
    """Answers one request on each connection."""

    def __init__(self, executions: Executions, flaw: str) -> None:
        self._executions = executions
        self._flaw = flaw

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, *_ = head.split(" ")
            execution = path.rpartition("/")[2]
            if method == "POST":
                body = json.dumps({"id": self._executions.begin()}).encode()
                writer.write(
                    b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
            elif execution not in self._executions.logs:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            else:
                await self._stream(execution, _cursor(head), writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _stream(self, execution: str, cursor: int, writer: asyncio.StreamWriter) -> None:
        log = self._executions.logs[execution]
        if cursor >= EVENTS:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        if 0 < cursor < EVENTS - 1:
            cursor += {"drops": 1, "repeats": -1}.get(self._flaw, 0)
        while cursor < EVENTS:
            if cursor < len(log):
                step = 2 if self._flaw == "swaps" and cursor + 2 <= len(log) else 1
                for number in range(cursor + step, cursor, -1):
                    writer.write(self._frame(number, log[number - 1]))
                cursor += step
                await writer.drain()
            else:
                await self._executions.longer_than(cursor, log)
        if self._flaw == "goes on":
            writer.write(self._frame(EVENTS + 1, "{}"))

    def _frame(self, number: int, data: str) -> bytes:
        if self._flaw == "alters" and number == EVENTS // 2:
            data = data.replace(" ", "")
        name = "ended" if number == EVENTS else "step"
        return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()


def _cursor(head: str) -> int:
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "last-event-id":
            return int(value)
    return 0


async def main(port: int, folder: Path, flaw: str) -> None:
    executions = Executions(folder)
    server = await asyncio.start_server(Service(executions, flaw).answer, "127.0.0.1", port)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print("listening", flush=True)
    await stopping.wait()
    server.close()
    executions.save()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), "".join(sys.argv[3:])))
