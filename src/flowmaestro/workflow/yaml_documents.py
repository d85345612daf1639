"""YAML to JSON values, from the parser's events.

PyYAML's own constructors are not used: they recurse, read YAML 1.1 (where ``no`` is false and
``1:30`` is ninety), make dates, and keep the last of two equal keys. Its parser's events are a flat
sequence, which an explicit stack turns into values, counting as it goes: an alias costs what it
stands for, so a few anchors cannot become billions of values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from flowmaestro.workflow.limits import MAX_INTEGER, Limits
from flowmaestro.workflow.problems import shorten

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_MERGE = "<<"


class YamlProblem(Exception):
    """Text that is not YAML, or YAML that is no JSON value within bounds. The message is a
    sentence with the line and column."""


@dataclass
class _Built:
    """A finished value, with the number of values in it and how deep it nests."""

    value: Any
    count: int = 1
    depth: int = 0


@dataclass
class _Open:
    """A list or an object that is being read."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    count: int = 1
    depth: int = 1
    key: str | None = None
    merged: list[dict[str, Any]] = field(default_factory=list)


def read_yaml(text: str, limits: Limits) -> Any:
    """Return the one document in *text* as a JSON value. Raises :class:`YamlProblem`."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(limits)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise YamlProblem(
            _sentence(error.problem or "it does not parse", error.problem_mark)
        ) from None
    except yaml.YAMLError as error:
        raise YamlProblem(_sentence(str(error).split("\n")[0], None)) from None
    except RecursionError:
        raise YamlProblem("it nests too deeply.") from None
    return builder.result.value if builder.result is not None else None


class _Builder:
    """Builds the value from events."""

    def __init__(self, limits: Limits) -> None:
        self.result: _Built | None = None
        self._limits = limits
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Built] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            built = self._anchors.get(name)
            if built is None:
                raise _problem(f"the alias '*{shorten(name)}' has no finished anchor", event)
            self._add(built, event, None)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._begin(event)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            done = self._stack.pop()
            if isinstance(done.value, dict):
                for fields in done.merged:
                    for key, item in fields.items():
                        done.value.setdefault(key, item)
            self._add(_Built(done.value, done.count, done.depth), event, done.anchor)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _problem("there is more than one document", event)

    def _begin(self, event: Any) -> None:
        self._refuse_tag(event, implied=event.implicit)
        if len(self._stack) >= self._limits.max_depth:
            raise _problem(f"it nests deeper than {self._limits.max_depth} levels", event)
        if self._stack and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None:
            raise _problem("a field is named by text, not by a list or an object", event)
        value: list[Any] | dict[str, Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._stack.append(_Open(value, event.anchor))

    def _scalar(self, event: Any) -> None:
        plain = event.implicit[0]
        if event.tag not in _TEXT_TAGS:
            self._refuse_tag(event, implied=plain or event.implicit[1])
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._begin_field(parent, event.value, event)
            if event.anchor:
                self._anchors[event.anchor] = _Built(event.value)
            return
        value = _resolve(event) if plain and event.tag not in _TEXT_TAGS else event.value
        self._add(_Built(value), event, event.anchor)

    def _begin_field(self, parent: _Open, key: str, event: Any) -> None:
        if key in parent.value:
            raise _problem(f"the field '{shorten(key)}' is written twice in one object", event)
        parent.key = key

    def _add(self, built: _Built, event: Any, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = built
        if not self._stack:
            self.result = built
            return
        parent = self._stack[-1]
        parent.count += built.count
        parent.depth = max(parent.depth, built.depth + 1)
        if parent.count > self._limits.max_values:
            raise _problem(f"it has more than {self._limits.max_values:,} values", event)
        if len(self._stack) + built.depth > self._limits.max_depth:
            raise _problem(f"it nests deeper than {self._limits.max_depth} levels", event)
        if isinstance(parent.value, list):
            parent.value.append(built.value)
        elif parent.key is None:
            if not isinstance(built.value, str):
                raise _problem("a field is named by text", event)
            self._begin_field(parent, built.value, event)
        else:
            self._end_field(parent, parent.key, built.value, event)

    def _end_field(self, parent: _Open, key: str, value: Any, event: Any) -> None:
        parent.key = None
        assert isinstance(parent.value, dict)
        if key != _MERGE:
            parent.value[key] = value
            return
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise _problem("'<<' merges objects", event)
        parent.merged.extend(sources)

    def _refuse_tag(self, event: Any, *, implied: bool) -> None:
        if event.tag is not None and not implied:
            raise _problem(f"the tag '{shorten(event.tag)}' is not supported", event)


def _resolve(event: Any) -> Any:
    """Return what a plain scalar is in YAML 1.2's core schema."""
    text: str = event.value
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        if len(text) > 400:
            raise _problem("an integer has more than 300 digits", event)
        number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if abs(number) > MAX_INTEGER:
            raise _problem("an integer has more than 300 digits", event)
        return number
    if _NOT_FINITE.fullmatch(text):
        raise _problem(f"'{text}' is not a number that JSON has", event)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise _problem(f"the number {shorten(text)} is too large", event)
        return value
    return text


def _problem(message: str, event: Any) -> YamlProblem:
    return YamlProblem(_sentence(message, event.start_mark))


def _sentence(message: str, mark: Any) -> str:
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return f"{message.rstrip('.')}{where}."
