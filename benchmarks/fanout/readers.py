"""The load generator (``native/generator.c``) as an object."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.fanout.processes import Process


class EventsLost(Exception):
    """A reader did not get each event once and in order: there is no figure for that."""


@dataclass(frozen=True, slots=True)
class Count:
    """What came to the readers since the last reset."""

    events: int
    bytes: int
    last_ns: int
    """When the newest event came, of the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Samples:
    """For each event at each reader, in the order of arrival."""

    connections: array[int]
    numbers: array[int]
    sent_ns: array[int]
    received_ns: array[int]


class Readers:
    """Many streams, opened and read by one process."""

    def __init__(self, process: Process, folder: Path, connections: int) -> None:
        """Wait until they are all open."""
        self.process = process
        self._folder = folder
        self._connections = connections
        opened = process.answer()
        self.open_seconds: float = opened["open_ns"] / 1e9
        """How long it took to open them all."""
        self.open_cpu_seconds: float = opened["cpu_ns"] / 1e9
        """What that cost the generator."""

    @classmethod
    def open(
        cls,
        program: Path,
        folder: Path,
        *,
        core: int,
        port: int,
        heads: Sequence[str],
        connections: int,
        check_ids: bool,
        samples: int = 0,
        window: int = 64,
        short_path: bool = False,
    ) -> Self:
        """Open so many streams, at most *window* at once; reader i sends ``heads[i % len(heads)]``.

        Args:
            samples: how many events may be sampled.
            short_path: keep the kernel's buffers between server and readers small.
        """
        requests = folder / f"requests-{connections}"
        requests.write_text("".join(heads), newline="")
        command = [str(program), "-p", str(port), "-n", str(connections), "-r", str(requests)]
        command += ["-w", str(window), "-m", str(samples)]
        command += ["-i"] if check_ids else []
        command += ["-b", "4096", "-g", "1400"] if short_path else []
        process = Process(command, core=core, folder=folder)
        try:
            return cls(process, folder, connections)
        except BaseException:
            process.__exit__(None, None, None)
            raise

    def reset(self) -> None:
        """Begin to count anew."""
        self._count("reset")

    def wait(self, events: int, timeout_seconds: float) -> Count:
        """Return when so many events came since the reset, or when the time is over.

        Raises:
            EventsLost: one was lost, came twice, or a stream ended.
        """
        return self._count("wait", events, round(timeout_seconds * 1000))

    def freeze(self, connection: int) -> None:
        """Stop reading one of the streams."""
        self._count("freeze", connection)

    def thaw(self, connection: int) -> None:
        """Read it again."""
        self._count("thaw", connection)

    def samples(self) -> Samples:
        """Return what was sampled since the reset."""
        path = self._folder / "samples"
        self._count("samples", path)
        words, halves = array("Q"), array("I")
        content = path.read_bytes()
        words.frombytes(content)
        halves.frombytes(content)
        return Samples(halves[0::6], halves[1::6], words[1::3], words[2::3])

    def close(self) -> None:
        self.process.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _count(self, *words: object) -> Count:
        found = self.process.ask(*words)
        for wrong in ("lost", "doubled", "wrong_ids", "closed"):
            if found[wrong]:
                raise EventsLost(f"{wrong}: {found[wrong]} ({found['events']} events came)")
        return Count(found["events"], found["bytes"], found["last_ns"])
