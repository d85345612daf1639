"""One shell and one Python for a page: its ``run`` blocks go there, one after the other."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

BLOCK_TIMEOUT_SECONDS = 20.0
SHOWN_ADDRESS = "127.0.0.1:8000"
SHOWN_KEY = "fm_live_…"

_MARK = "--- end of block ---"
_KEY = re.compile(r"\bfm_live_\w{43}\b")
_PYTHON = f"""
import sys, traceback
names = {{"__name__": "__main__"}}
while size := sys.stdin.buffer.readline():
    source, status = sys.stdin.buffer.read(int(size)).decode(), 0
    try:
        exec(compile(source, "<page>", "exec"), names)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        status = 1
    print("\\n{_MARK}", status, flush=True)
"""

# Only where the machine has no such tool: what the pages use of it.
_STAND_INS = {
    "jq": """
import json, sys
text, decoder = sys.stdin.read().strip(), json.JSONDecoder()
while text:
    found, end = decoder.raw_decode(text)
    text = text[end:].strip()
    for name in filter(None, sys.argv[-1].lstrip(".").split(".")):
        found = found[name]
    raw = isinstance(found, str) and "-r" in sys.argv
    print(found if raw else json.dumps(found, indent=2, ensure_ascii=False))
""",
}


@dataclass(frozen=True)
class Ran:
    """What a block came to."""

    status: int
    output: str


class Session:
    """A page's shell and Python, in *folder*, where ``127.0.0.1:8000`` is *address* and
    ``fm_live_…`` the key that was made last."""

    def __init__(self, folder: Path, address: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.address = address
        # Without a terminal curl would draw its progress between the lines.
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        self._environment = {
            **{name: value for name, value in os.environ.items() if "FLOWMAESTRO" not in name},
            "HOME": str(folder),
            "PATH": f"{_tools(folder)}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FLOWMAESTRO_BASE_URL": f"http://{address}",
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "100",
            **environment,
        }
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._key = SHOWN_KEY

    def write_file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._real(text))

    async def bash(self, commands: str) -> Ran:
        """Run *commands*; the status is the last one's."""
        process = await self._process("bash", "bash", "--noprofile", "--norc")
        text = f'{self._real(commands)}\nprintf "\\n{_MARK} %d\\n" $?\n'
        ran = await self._run(process, text.encode())
        for key in _KEY.findall(ran.output):
            self._key = key
        return ran

    async def python(self, source: str) -> Ran:
        """Run *source*; what earlier blocks defined is there, and what the shell exported before
        the first of them."""
        if "bash" in self._processes and "python" not in self._processes:
            exported = (await self.bash("env -0 | base64 | tr -d '\\n'")).output
            pairs = base64.b64decode(exported).decode().split("\0")
            self._environment |= dict(pair.split("=", 1) for pair in pairs if pair)
        process = await self._process("python", sys.executable, "-u", "-c", _PYTHON)
        text = self._real(source).encode()
        return await self._run(process, b"%d\n%b" % (len(text), text))

    async def serve(self, command: str) -> None:
        """Run *command*'s lines; start the last one, a server, on the session's port, and return
        when it listens."""
        *before, last = command.strip().splitlines()
        if before:
            ran = await self.bash("\n".join(before))
            assert ran.status == 0, ran.output
        port = self.address.rpartition(":")[2]
        server = last.partition(" #")[0].strip()
        process = await self._process("server", "bash", "-c", f"exec {server} --port {port}")
        assert process.stdout is not None
        async with asyncio.timeout(BLOCK_TIMEOUT_SECONDS):
            while line := (await process.stdout.readline()).decode():
                if line.startswith("listening on "):
                    return
        raise AssertionError(f"{command!r} ended: {await process.wait()}")

    async def aclose(self) -> None:
        for name, process in self._processes.items():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM if name == "server" else signal.SIGKILL)
            await process.communicate()

    def _real(self, text: str) -> str:
        return text.replace(SHOWN_ADDRESS, self.address).replace(SHOWN_KEY, self._key)

    async def _process(self, name: str, *command: str) -> asyncio.subprocess.Process:
        if name not in self._processes:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=1_000_000,
            )
        return self._processes[name]

    async def _run(self, process: asyncio.subprocess.Process, text: bytes) -> Ran:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text)
        lines: list[str] = []
        try:
            async with asyncio.timeout(BLOCK_TIMEOUT_SECONDS):
                await process.stdin.drain()
                while line := (await process.stdout.readline()).decode():
                    if line.startswith(_MARK):
                        return Ran(int(line.removeprefix(_MARK)), "".join(lines).strip())
                    lines.append(line)
        except TimeoutError:
            lines.append(f"… and nothing more within {BLOCK_TIMEOUT_SECONDS} s")
        return Ran(-1, "".join(lines).strip())


@asynccontextmanager
async def session(
    folder: Path, address: str, environment: Mapping[str, str]
) -> AsyncIterator[Session]:
    """Open a session, and end all its processes at the end."""
    opened = Session(folder, address, environment)
    try:
        yield opened
    finally:
        await opened.aclose()


def _tools(folder: Path) -> Path:
    tools = folder / ".tools"
    tools.mkdir()
    for name, source in _STAND_INS.items():
        if shutil.which(name) is None:
            path = tools / name
            path.write_text(f"#!{sys.executable}\n{source}")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return tools
