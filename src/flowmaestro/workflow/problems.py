"""What is wrong with a definition: problems with their place, and the error that carries them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from pydantic.alias_generators import to_snake

Path = tuple[str | int, ...]
"""Where in a document: field names and list indexes, from its root."""

_NEEDS_QUOTES = re.compile(r"[.\[\]'\s]|^$")
_SHOWN_CHARACTERS = 60
_CANDIDATES = 200
_MISSPELT = 0.8
_TYPE_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    path: str
    """Where: ``nodes.fetch.config.url``, ``edges[2].source``; empty for the whole document."""
    message: str
    """A sentence: what is wrong, and what is allowed."""
    code: str
    """What kind of problem it is, for programs."""


class InvalidDefinition(Exception):
    """A document that is no definition. ``problems`` holds all of them, in document order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(
            f"{problem.path}: {problem.message}" if problem.path else problem.message
            for problem in self.problems
        )


class Problems:
    """Collects problems while a document is checked.

    At most *limit* are kept; the others are counted. Suggestions are bounded too, since comparing
    names is quadratic and a document may hold thousands of wrong ones.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: dict[tuple[Path, str], str] = {}
        self._left_out = 0
        self._suggestions = 25
        self._spellings = 1_000

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: Path, code: str, message: str) -> None:
        """Record a problem; a repeated one counts once."""
        if (path, message) in self._found:
            return
        if len(self._found) >= self._limit:
            self._left_out += 1
            return
        self._found[path, message] = code

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return ``" Did you mean 'x'?"`` for a *word* that is close to a known one, or nothing."""
        close = self.closest(word, known)
        return f" Did you mean '{close}'?" if close is not None else ""

    def closest(self, word: str, known: Iterable[str]) -> str | None:
        """Return the one of *known* that is most like *word*, if any is close."""
        if self._suggestions == 0 or len(word) > _SHOWN_CHARACTERS:
            return None
        self._suggestions -= 1
        short = (name for name in known if len(name) <= _SHOWN_CHARACTERS)
        close = get_close_matches(word, list(islice(short, _CANDIDATES)), n=1)
        return close[0] if close else None

    def misspelt(self, word: str, known: Iterable[str]) -> str | None:
        """Return the one of *known* that *word*, in snake_case or camelCase, can hardly not mean:
        they begin alike, since ``input_variable`` is no slip of the pen for ``output_variable``."""
        if self._spellings == 0 or len(word) > _SHOWN_CHARACTERS:
            return None
        self._spellings -= 1
        word = to_snake(word)  # short by now: for a long one it would take hours
        close = get_close_matches(
            word, [name for name in known if name[:1] == word[:1]], n=1, cutoff=_MISSPELT
        )
        return close[0] if close else None

    def in_order_of(self, document: Any) -> list[Problem]:
        """Return the problems in the order in which *document* has their places."""
        places = _Places(document)
        found = sorted(self._found.items(), key=lambda item: places.of(item[0][0]))
        listed = [Problem(format_path(path), text, code) for (path, text), code in found]
        if self._left_out:
            listed.append(
                Problem("", f"{self._left_out:,} more problems are not listed.", "too_many")
            )
        return listed


class _Places:
    """Gives paths a sort key: the positions of their steps among their siblings."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._positions: dict[int, dict[Any, int]] = {}

    def of(self, path: Path) -> tuple[int, ...]:
        key: list[int] = []
        value = self._document
        for step in path:
            if isinstance(value, Mapping):
                positions = self._positions.get(id(value))
                if positions is None:
                    positions = {name: index for index, name in enumerate(value)}
                    self._positions[id(value)] = positions
                # What is missing comes after what is there.
                key.append(positions.get(step, len(positions)))
                value = value.get(step)
            else:
                key.append(step if isinstance(step, int) else 0)
                inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
                value = value[step] if inside else None
        return tuple(key)


def format_path(path: Path) -> str:
    """Return *path* as people write it: ``nodes.fetch.config.url``, ``edges[2].source``; a name
    that would be mistaken for several is quoted: ``config.headers['a.b']``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _NEEDS_QUOTES.search(step):
            text += f"[{shorten(step)!r}]"
        else:
            text += f".{shorten(step)}" if text else shorten(step)
    return text


def shorten(text: str) -> str:
    """Return *text*, cut to what fits into a sentence."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def listing(names: Iterable[str], most: int = 12) -> str:
    """Return *names* quoted and separated by commas, cut after *most*."""
    found = [f"'{shorten(name)}'" for name in islice(names, most + 1)]
    return ", ".join(found[:most]) + (", …" if len(found) > most else "")


def type_name(value: Any) -> str:
    """Return what to call a JSON value's type in a sentence."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)
