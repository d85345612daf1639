"""The laws, as functions over what was recorded. Pure: no I/O and no clock.

A log is what the server has on its disk when all is over; a recording is what one reader was sent,
over all its connections, in the order in which it came. Nothing is forgiven: a repeat that a client
would drop is a repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Kind = Literal[
    "lost",
    "repeated",
    "reordered",
    "altered",
    "invented",
    "unasked",
    "misnumbered",
    "endless",
    "after the end",
    "effect repeated",
    "effect unannounced",
    "effect missing",
    "accepted twice",
    "forgotten",
    "unfinished",
    "left over",
    "protocol",
    "stop",
]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it was sent or stored."""

    number: int
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Effect:
    """A trace that a node left outside the server, written before anything could go wrong."""

    execution: str
    node: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that was broken, by whom and how."""

    kind: Kind
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.detail}"


def check_log(where: str, log: Sequence[Frame], terminal: frozenset[str]) -> Iterator[Violation]:
    """Numbers are 1…n without gaps; exactly one terminal event, and nothing after it."""
    numbers = [frame.number for frame in log]
    if numbers != list(range(1, len(log) + 1)):
        yield Violation("misnumbered", where, f"its log is numbered {_shown(numbers)}")
    ends = [frame.number for frame in log if frame.name in terminal]
    if not ends:
        yield Violation("endless", where, f"no terminal event in its {len(log)} events")
    elif ends != numbers[-1:]:
        yield Violation(
            "after the end", where, f"terminal events {_shown(ends)} of {len(log)} events"
        )


def check_recording(
    where: str,
    log: Sequence[Frame],
    recording: Sequence[Frame],
    wanted: Callable[[str], bool] = lambda _name: True,
) -> Iterator[Violation]:
    """A reader was sent the events of the log that it *wanted*: each once, in order, unchanged."""
    stored = {frame.number: frame for frame in log}
    seen = Counter(frame.number for frame in recording)
    lost = [frame.number for frame in log if wanted(frame.name) and frame.number not in seen]
    if lost:
        yield Violation("lost", where, f"{_shown(lost)} of {len(log)}")
    repeated = [number for number, times in seen.items() if times > 1]
    if repeated:
        yield Violation("repeated", where, _shown(repeated))
    firsts = list(seen)
    if firsts != sorted(firsts):
        late = [after for before, after in pairwise(firsts) if after < before]
        yield Violation("reordered", where, f"{_shown(late)} came after later ones")
    for frame in recording:
        kept = stored.get(frame.number)
        if kept is None:
            yield Violation("invented", where, f"{frame.number} {frame.name} is in no log")
        elif kept != frame:
            detail = f"{frame.number}: {_clip(frame.data)} instead of {_clip(kept.data)}"
            yield Violation("altered", where, detail)
        elif not wanted(frame.name):
            yield Violation("unasked", where, f"{frame.number} {frame.name}")


def check_effects(
    effects: Iterable[Effect], begun: frozenset[Effect], succeeded: frozenset[Effect]
) -> Iterator[Violation]:
    """At least once, and at most once for each attempt.

    Args:
        effects: as they were left behind, repeats included.
        begun: the attempts that the logs say were begun, of nodes that leave effects.
        succeeded: the attempts that the logs say succeeded, of the same nodes.
    """
    times = Counter(effects)
    for effect, count in times.items():
        where = f"{effect.execution} {effect.node}"
        if count > 1:
            yield Violation("effect repeated", where, f"attempt {effect.attempt} ran {count} times")
        if effect not in begun:
            detail = f"attempt {effect.attempt} ran, and the log does not say so"
            yield Violation("effect unannounced", where, detail)
    for effect in succeeded - times.keys():
        detail = f"attempt {effect.attempt} succeeded without having run"
        yield Violation("effect missing", f"{effect.execution} {effect.node}", detail)


def check_acceptance(accepted: Sequence[str], kept: Sequence[str]) -> Iterator[Violation]:
    """What was accepted is what there is: each request that was answered began one execution.

    Args:
        accepted: the execution of each request, which may have been sent several times.
        kept: the executions that the server knows in the end.
    """
    for execution, times in Counter(accepted).items():
        if times > 1:
            yield Violation("accepted twice", execution, f"the answer to {times} requests")
    for execution in set(accepted) - set(kept):
        yield Violation("forgotten", execution, "it was accepted, and is not known any more")
    for execution in set(kept) - set(accepted):
        yield Violation("accepted twice", execution, "a second one for a request that was repeated")


def _shown(numbers: Sequence[int], most: int = 12) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown}, … ({len(numbers)} in all)"


def _clip(data: bytes, most: int = 200) -> str:
    return repr(data if len(data) <= most else data[:most] + b"...")
