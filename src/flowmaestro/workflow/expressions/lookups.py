"""Names, fields and indexes: the only ways from one value to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from flowmaestro.workflow.expressions.errors import ExpressionError
from flowmaestro.workflow.expressions.run import Closure, Missing, Run, plain, type_name

_CANDIDATES = 200
_COMPARED_CHARACTERS = 60


def near_misses(word: str, candidates: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` or a full stop: the end of a sentence about *word*.

    Bounded, since comparing texts is quadratic: the first 200 candidates of up to 60 characters.
    """
    if len(word) > _COMPARED_CHARACTERS:
        return "."
    known = [
        candidate
        for candidate in islice(candidates, _CANDIDATES)
        if isinstance(candidate, str) and len(candidate) <= _COMPARED_CHARACTERS
    ]
    lower = word.lower()
    close = [name for name in known if name.lower() == lower and name != word]
    close += [name for name in get_close_matches(word, known, n=3) if name not in close]
    if not close:
        return "."
    return "; did you mean " + " or ".join(f"'{name}'" for name in close[:3]) + "?"


def missing_name(run: Run, name: str) -> Missing:
    """The answer for a name that the run does not have."""
    return Missing(lambda: f"'{name}' is not defined{near_misses(name, run.names)}")


def lookup(value: Any, key: Any, owner: str) -> Any:
    """Return ``value[key]`` of JSON data; *owner* is how the expression writes *value*.

    Objects have fields; lists and text have indexes, negative ones from the end. Raises
    :class:`Missing` when there is no such element, :class:`ExpressionError` when *key* cannot be
    one.
    """
    if isinstance(value, Mapping):
        if type(key) is not str:
            raise ExpressionError(
                f"A field of '{owner}' is named by text, not by {type_name(key)}."
            )
        try:
            return value[key]
        except KeyError:
            raise Missing(
                lambda: f"'{owner}' has no field '{_short(key)}'{near_misses(key, value)}"
            ) from None
    if type(value) is list or type(value) is str:
        if type(key) is int:
            # Compared first: an index of more than 64 bits would be an OverflowError.
            if -len(value) <= key < len(value):
                return value[key]
            raise Missing(lambda: f"'{owner}' has {len(value)} elements and no index {key}.")
        if type(key) is not str:
            raise ExpressionError(f"An index of '{owner}' is an integer, not {type_name(key)}.")
    raise Missing(lambda: f"'{owner}' is {type_name(value)} and has no field '{_short(key)}'.")


def compile_name(name: str) -> Closure:
    """Compile a bare name."""

    def look_up(run: Run) -> Any:
        try:
            value = run.names[name]
        except KeyError:
            raise missing_name(run, name) from None
        return plain(value)

    return look_up


def compile_path(name: str, keys: tuple[str | int, ...], owners: tuple[str, ...]) -> Closure:
    """Compile ``name.key.key``; ``owners[i]`` is how the expression writes what ``keys[i]`` is
    looked up in."""
    steps = tuple(zip(keys, owners, strict=True))

    def follow(run: Run) -> Any:
        try:
            value = run.names[name]
        except KeyError:
            raise missing_name(run, name) from None
        for key, owner in steps:
            if type(value) is dict and key in value:
                value = value[key]
            else:
                value = lookup(value, key, owner)
        return plain(value)

    return follow


def attribute_path(attribute: Any) -> tuple[str | int, ...]:
    """Return the keys of an ``attribute`` argument: ``"address.lines.0"`` or an index."""
    if type(attribute) is int:
        return (attribute,)
    if type(attribute) is not str or not attribute:
        raise ExpressionError(f"'attribute' is a field's name, not {type_name(attribute)}.")
    return tuple(int(key) if key.isdecimal() else key for key in attribute.split("."))


def attribute_getter(run: Run, attribute: Any) -> Callable[[Any], Any]:
    """Return a function that follows *attribute* from an element; without one, the element."""
    if attribute is None:
        return lambda item: item
    path = attribute_path(attribute)

    def get(item: Any) -> Any:
        run.step(len(path))
        for key in path:
            # A field may be called "0": what digits mean depends on what they are looked up in.
            item = lookup(item, str(key) if isinstance(item, Mapping) else key, "element")
        return item

    return get


def _short(key: Any) -> str:
    text = key if type(key) is str else str(key)
    return text if len(text) <= _COMPARED_CHARACTERS else text[:_COMPARED_CHARACTERS] + "…"
