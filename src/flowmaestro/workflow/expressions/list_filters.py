"""Filters over lists and objects. Elements are charged as they are visited; nothing is changed in
place, since the data belongs to the execution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowmaestro.workflow.expressions.arguments import (
    need_boolean,
    need_integer,
    need_list,
    need_number,
    need_object,
)
from flowmaestro.workflow.expressions.errors import ExpressionError
from flowmaestro.workflow.expressions.lookups import attribute_getter
from flowmaestro.workflow.expressions.operators import add
from flowmaestro.workflow.expressions.run import Missing, Run, is_number, type_name

_MOST = 1_000_000_000


def length(_run: Run, value: Any) -> int:
    """``[1, 2]|length`` → ``2``: elements of a list, fields of an object, characters of text."""
    if isinstance(value, Mapping) or type(value) is list or type(value) is str:
        return len(value)
    raise ExpressionError(f"'length' needs a list, an object or text, not {type_name(value)}.")


def first(run: Run, value: Any) -> Any:
    """The first element; undefined for an empty list."""
    return _one(run, value, "first", 0)


def last(run: Run, value: Any) -> Any:
    """The last element; undefined for an empty list."""
    return _one(run, value, "last", -1)


def minimum(run: Run, value: Any, *more: Any, attribute: Any = None) -> Any:
    """The smallest of a list, or of the arguments; *attribute* compares by that field."""
    keys, items = _keys(run, [value, *more] if more else value, "min", attribute)
    if not items:
        raise Missing(lambda: "'min' has no elements to choose from.")
    return items[min(range(len(items)), key=keys.__getitem__)]


def maximum(run: Run, value: Any, *more: Any, attribute: Any = None) -> Any:
    """The largest of a list, or of the arguments; *attribute* compares by that field."""
    keys, items = _keys(run, [value, *more] if more else value, "max", attribute)
    if not items:
        raise Missing(lambda: "'max' has no elements to choose from.")
    return items[max(range(len(items)), key=keys.__getitem__)]


def total(run: Run, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """``[1, 2]|sum`` → ``3``; with *attribute*, of that field of each element."""
    result: Any = need_number(start, "sum")
    get = attribute_getter(run, attribute)
    for item in need_list(run, value, "sum"):
        result = add(run, result, need_number(get(item), "sum"))
    return result


def sort(
    run: Run, value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None
) -> list[Any]:
    """Sort numbers or texts, or elements by a field; text without regard to case unless asked."""
    folded = not need_boolean(case_sensitive, "sort case_sensitive")
    keys, items = _keys(run, value, "sort", attribute, folded=folded)
    order = sorted(
        range(len(items)), key=keys.__getitem__, reverse=need_boolean(reverse, "sort reverse")
    )
    return [items[index] for index in order]


def unique(run: Run, value: Any, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    """The elements without repeats, the first of each kept."""
    folded = not need_boolean(case_sensitive, "unique case_sensitive")
    get, seen, kept = attribute_getter(run, attribute), set(), []
    for item in need_list(run, value, "unique"):
        key = _identity(run, get(item), folded=folded)
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return kept


def reverse(run: Run, value: Any) -> Any:
    """A list or a text, from its end."""
    if type(value) is str:
        run.grow(len(value))
        return value[::-1]
    return need_list(run, value, "reverse")[::-1]


def to_list(run: Run, value: Any) -> list[Any]:
    """A list as it is, the characters of a text, the field names of an object."""
    return need_list(run, value, "list")


def keys(run: Run, value: Any) -> list[Any]:
    """The field names of an object."""
    return list(need_object(run, value, "keys"))


def values(run: Run, value: Any) -> list[Any]:
    """The field values of an object."""
    return list(need_object(run, value, "values").values())


def items(run: Run, value: Any) -> list[Any]:
    """The fields of an object, as lists of name and value."""
    return [[key, item] for key, item in need_object(run, value, "items").items()]


def get(run: Run, value: Any, key: Any, default: Any = None) -> Any:
    """``object.get('field', default)``."""
    fields = need_object(run, value, "get")
    return fields.get(key, default) if type(key) is str else default


def dict_sort(
    run: Run, value: Any, case_sensitive: Any = False, by: Any = "key", reverse: Any = False
) -> list[Any]:
    """The fields of an object as lists of name and value, sorted by ``'key'`` or ``'value'``."""
    if by not in ("key", "value"):
        raise ExpressionError("'dictsort' sorts by 'key' or by 'value'.")
    return sort(run, items(run, value), reverse, case_sensitive, 0 if by == "key" else 1)


def group_by(run: Run, value: Any, attribute: Any, default: Any = None) -> list[Any]:
    """Group elements by a field: ``[{'grouper': VALUE, 'list': [ELEMENT, …]}, …]`` in order of
    appearance; elements without the field are grouped under *default* when it is given."""
    read = attribute_getter(run, attribute)
    groups: dict[Any, dict[str, Any]] = {}
    for item in need_list(run, value, "groupby"):
        try:
            key = read(item)
        except Missing:
            if default is None:
                raise
            key = default
        identity = _identity(run, key, folded=False)
        groups.setdefault(identity, {"grouper": key, "list": []})["list"].append(item)
    return list(groups.values())


def batch(run: Run, value: Any, linecount: Any, fill_with: Any = None) -> list[Any]:
    """``[1, 2, 3]|batch(2)`` → ``[[1, 2], [3]]``; *fill_with* fills up the last one."""
    size = need_integer(linecount, "batch", least=1, most=_MOST)
    elements = need_list(run, value, "batch")
    made = [elements[start : start + size] for start in range(0, len(elements), size)]
    if fill_with is not None and made:
        run.grow(size)
        made[-1] = made[-1] + [fill_with] * (size - len(made[-1]))
    return made


def slices(run: Run, value: Any, slices: Any, fill_with: Any = None) -> list[Any]:
    """``[1, 2, 3]|slice(2)`` → ``[[1, 2], [3]]``: that many lists of about the same length."""
    count = need_integer(slices, "slice", least=1, most=_MOST)
    elements = need_list(run, value, "slice")
    run.step(count)
    run.grow(count)
    short, longer = divmod(len(elements), count)
    made, start = [], 0
    for number in range(count):
        end = start + short + (number < longer)
        part = elements[start:end]
        if fill_with is not None and longer and number >= longer:
            part = [*part, fill_with]
        made.append(part)
        start = end
    return made


def _one(run: Run, value: Any, user: str, index: int) -> Any:
    if type(value) is list or type(value) is str:
        elements: Any = value
    else:
        elements = need_list(run, value, user)
    if not elements:
        raise Missing(lambda: f"'{user}' has no elements to choose from.")
    return elements[index]


def _keys(
    run: Run, value: Any, user: str, attribute: Any, *, folded: bool = False
) -> tuple[list[Any], list[Any]]:
    """Return what the elements are ordered by, all numbers or all texts, and the elements."""
    elements = need_list(run, value, user)
    run.step(len(elements) * len(elements).bit_length())
    read = attribute_getter(run, attribute)
    found = [read(item) for item in elements]
    if all(is_number(key) for key in found):
        return found, elements
    if all(type(key) is str for key in found):
        run.grow(sum(map(len, found)))
        return [key.lower() for key in found] if folded else found, elements
    kinds = sorted({type_name(key) for key in found})
    raise ExpressionError(
        f"'{user}' orders numbers or texts, all of one kind, not {' and '.join(kinds)}."
    )


def _identity(run: Run, value: Any, *, folded: bool) -> tuple[str, Any]:
    """Return a hashable stand-in that is equal for equal values."""
    if type(value) is str:
        run.grow(len(value))
        return ("text", value.lower() if folded else value)
    if type(value) is dict or type(value) is list:
        return ("json", run.json(value, sort_keys=True))
    return ("boolean" if type(value) is bool else "scalar", value)
