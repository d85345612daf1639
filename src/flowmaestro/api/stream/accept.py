"""Content negotiation by the ``Accept`` header (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_RANGE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+|[\w!#$&^.+-]+/\*|\*/\*", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an ``Accept`` header, in lower case."""

    type: str
    """``text/html``, ``text/*`` or ``*/*``."""
    quality: float
    """0 (not acceptable) to 1."""

    @property
    def specificity(self) -> int:
        """2 for one media type, 1 for all of a kind, 0 for anything."""
        return 2 - self.type.count("*")

    def matches(self, media_type: str) -> bool:
        """Whether *media_type* is in the range."""
        if self.specificity == 2:
            return self.type == media_type
        return self.specificity == 0 or media_type.startswith(self.type[:-1])


def parse_accept(header: str) -> list[MediaRange]:
    """Return the ranges of an ``Accept`` header; malformed ones are passed over, and so are
    parameters other than ``q``, which no type offered here has."""
    found = []
    for entry in header.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        quality = 1.0
        well_formed = _RANGE.fullmatch(name) is not None
        for parameter in parameters:
            key, value = (part.strip() for part in parameter.partition("=")[::2])
            if key == "q":
                well_formed &= _QUALITY.fullmatch(value) is not None
                quality = float(value) if well_formed else 0.0
        if well_formed:
            found.append(MediaRange(name, quality))
    return found


def choose(header: str, offered: Sequence[str]) -> str | None:
    """Return the media type of *offered* that an ``Accept`` header prefers, ``None`` if it accepts
    none of them.

    A type's quality is that of the most specific range it is in. Of equal qualities the type that
    is named more specifically wins, then the one that is offered first. An empty header, and one
    with nothing well-formed in it, accepts everything.
    """
    ranges = parse_accept(header) or [MediaRange("*/*", 1.0)]
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for media_type in offered:
        matching = [one for one in ranges if one.matches(media_type)]
        if not matching:
            continue
        closest = max(matching, key=lambda one: one.specificity)
        rank = (closest.quality, closest.specificity)
        if closest.quality > 0 and (chosen is None or rank > best):
            best, chosen = rank, media_type
    return chosen
