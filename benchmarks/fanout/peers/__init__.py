"""Who is measured. Each is a process that ``control`` describes how to speak to."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.fanout.frames import C_FRAME_FORMAT, DATA_HEAD, EVENT_NAME
from benchmarks.fanout.native import build
from benchmarks.fanout.peers.nchan import find_module

PACKAGE = __name__


@dataclass(frozen=True, slots=True)
class Place:
    """What a peer's command may need to know."""

    folder: Path
    """Its own, empty, and removed afterwards."""
    programs: Path
    """Where compiled programs are kept."""
    generator_core: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One way to bring events to readers."""

    name: str
    title: str
    setup: str
    """How it is set up, in a few words."""
    command: Callable[[Place], list[str]]
    missing: Callable[[], str | None] = lambda: None
    """Why it cannot be measured here."""
    version: Callable[[], str] = lambda: ""
    numbers_ids: bool = True
    """Whether its events' ids are 1, 2, 3, …"""


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"{PACKAGE}.{name}", *arguments]


def _bare(place: Place) -> list[str]:
    program = place.programs / "bare"
    if not program.exists():
        build("bare", place.programs)
    return [str(program), C_FRAME_FORMAT]


def _flowmaestro(http: str) -> Callable[[Place], list[str]]:
    return lambda place: _module("flowmaestro", str(place.folder / "bench.db"), http)


def _node(_: Place) -> list[str]:
    return ["node", str(Path(__file__).with_name("node_http.js")), DATA_HEAD, EVENT_NAME]


def _packages(*names: str) -> Callable[[], str]:
    return lambda: ", ".join(f"{name} {version(name)}" for name in names)


def _needs_module(name: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        if importlib.util.find_spec(name) is None:
            return f"the Python package {name.replace('_', '-')} is not installed"
        return None

    return missing


def _needs_node() -> str | None:
    return None if shutil.which("node") else "there is no node on the path"


def _nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _needs_nchan() -> str | None:
    nginx = _nginx()
    if nginx is None:
        return "there is no nginx (Debian: apt-get install nginx libnginx-mod-nchan)"
    if find_module(nginx) is None:
        return "nginx has no Nchan (Debian: apt-get install libnginx-mod-nchan)"
    return None


def _nginx_version() -> str:
    words = subprocess.run([_nginx() or "nginx", "-v"], capture_output=True, text=True).stderr
    return f"nginx {words.strip().rpartition('/')[2]}"


def _node_version() -> str:
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    return f"Node {said.strip().removeprefix('v')}"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="flowmaestro",
            title="FlowMaestro",
            setup="as `flowmaestro serve`: engine, durable log, API keys",
            command=_flowmaestro("default"),
            version=_packages("flowmaestro", "uvicorn", "uvloop"),
        ),
        Peer(
            name="flowmaestro-plain",
            title="FlowMaestro, plain ASGI",
            setup="the same on uvicorn's own HTTP protocol",
            command=_flowmaestro("plain"),
            version=_packages("flowmaestro", "uvicorn", "uvloop"),
        ),
        Peer(
            name="bare",
            title="bare `send()` loop, C",
            setup="the limit: nothing but the system call",
            command=_bare,
        ),
        Peer(
            name="bare-python",
            title="bare `socket.send` loop, Python",
            setup="the limit for Python, no event loop",
            command=lambda _: _module("bare_python"),
            version=lambda: f"Python {sys.version.split()[0]}",
        ),
        Peer(
            name="nchan",
            title="Nchan on nginx, C",
            setup="one worker, no logs; nothing durable",
            command=lambda place: _module("nchan", str(place.folder), str(place.generator_core)),
            missing=_needs_nchan,
            version=_nginx_version,
            numbers_ids=False,
        ),
        Peer(
            name="node",
            title="Node's `http`",
            setup="a Set of responses, each event encoded once",
            command=_node,
            missing=_needs_node,
            version=_node_version,
        ),
        Peer(
            name="starlette",
            title="Starlette `StreamingResponse`",
            setup="uvicorn, uvloop, httptools; a queue for each reader",
            command=lambda _: _module("starlette_streaming"),
            version=_packages("starlette", "uvicorn", "uvloop"),
        ),
        Peer(
            name="sse-starlette",
            title="sse-starlette",
            setup="the same, `EventSourceResponse` of encoded frames",
            command=lambda _: _module("sse_starlette"),
            missing=_needs_module("sse_starlette"),
            version=_packages("sse-starlette", "uvicorn", "uvloop"),
        ),
        Peer(
            name="fastapi",
            title="FastAPI's own SSE",
            setup="the same, `ServerSentEvent` objects made once",
            command=lambda _: _module("fastapi_sse"),
            missing=_needs_module("fastapi.sse"),
            version=_packages("fastapi", "uvicorn", "uvloop"),
        ),
    )
}
"""By name, in the order in which they take turns."""
