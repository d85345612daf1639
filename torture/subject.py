"""What a server must tell of itself to be tortured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from torture.oracle import Effect, Frame


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens on the loopback interface."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started. It says ``listening`` on standard output when it answers."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; a body makes it a POST."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Part of a stream that can be asked for."""

    name: str
    wanted: Callable[[str], bool]
    """Whether an event of this name is in it."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the logs say of nodes that leave effects."""

    begun: frozenset[Effect] = frozenset()
    succeeded: frozenset[Effect] = frozenset()


Follow = Callable[[Address, str, list[Frame]], Awaitable[None]]
"""Follows the execution of that id at that address to its end, through any number of disconnects,
and adds each event to the list as it is handed out. Cancelling it stops it."""


class Subject(Protocol):
    """A server of executions whose events are streamed."""

    name: str
    terminal: frozenset[str]
    """The names of events that end a log."""
    opening: str | None
    """The name of the frame without a number that begins each stream; ``None``: there is none."""
    views: Sequence[View]
    """The parts that can be asked for. The first is everything."""

    @property
    def sdk_readers(self) -> Mapping[str, Follow]:
        """The subject's own client libraries, by name; those that are there."""

    def command(self, folder: Path, port: int) -> Command:
        """Return how the server is started on *port* with all it keeps in *folder*."""

    async def prepare(self, server: Address, random: Random) -> None:
        """Set up what the executions of a round need, while nothing disturbs the server."""

    def execution(self, random: Random) -> Request:
        """Return a request that begins an execution, of whatever kind *random* says.

        It is sent until it is answered, and must begin one execution.
        """

    def accepted(self, status: int, body: bytes) -> str | None:
        """Return the execution that an answer says was begun; ``None``: ask again.

        Raises:
            ValueError: the request was refused for good.
        """

    def cancel(self, execution: str) -> Request | None:
        """Return a request that ends *execution* early; ``None`` if the server cannot."""

    def stream(self, execution: str, cursor: int, view: View) -> Request:
        """Return the request for the events after *cursor*."""

    def executions(self, folder: Path) -> list[str]:
        """Return all executions that are on the disk. Called while no server runs."""

    def log(self, folder: Path, execution: str) -> list[Frame]:
        """Return the log of *execution* as it is on the disk. Called while no server runs."""

    def effects(self, folder: Path) -> list[Effect]:
        """Return what nodes have left outside, repeats included."""

    def ledger(self, execution: str, log: Sequence[Frame]) -> Ledger:
        """Return what *log* says of nodes that leave effects."""

    async def gauges(self, server: Address) -> Mapping[str, float]:
        """Return counts that must be the same again when everything is over."""
