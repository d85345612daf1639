"""Everything an expression may call, by the name it is written with.

A filter ``value|name(args)`` and a method ``value.name(args)`` are called with the run, the value
and the arguments; a function ``name(args)`` with the run and the arguments. ``default``, ``map``,
``select`` and their kin are not here: they decide how their operand or elements are computed, which
is the compiler's work (see :mod:`.selection`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowmaestro.workflow.expressions import list_filters as lists
from flowmaestro.workflow.expressions import number_filters as numbers
from flowmaestro.workflow.expressions import text_filters as texts

FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": numbers.absolute,
    "batch": lists.batch,
    "bool": numbers.to_boolean,
    "capitalize": texts.capitalize,
    "count": lists.length,
    "dictsort": lists.dict_sort,
    "first": lists.first,
    "float": numbers.to_float,
    "fromjson": texts.from_json,
    "groupby": lists.group_by,
    "indent": texts.indent,
    "int": numbers.to_integer,
    "items": lists.items,
    "join": texts.join,
    "keys": lists.keys,
    "last": lists.last,
    "length": lists.length,
    "list": lists.to_list,
    "lower": texts.lower,
    "max": lists.maximum,
    "min": lists.minimum,
    "replace": texts.replace,
    "reverse": lists.reverse,
    "round": numbers.rounded,
    "slice": lists.slices,
    "sort": lists.sort,
    "split": texts.split,
    "string": texts.to_text,
    "sum": lists.total,
    "title": texts.title,
    "tojson": texts.to_json,
    "trim": texts.trim,
    "truncate": texts.truncate,
    "unique": lists.unique,
    "upper": texts.upper,
    "urlencode": texts.url_encode,
    "values": lists.values,
    "wordcount": texts.word_count,
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": numbers.absolute,
    "bool": numbers.to_boolean,
    "float": numbers.to_float,
    "int": numbers.to_integer,
    "len": lists.length,
    "list": lists.to_list,
    "max": lists.maximum,
    "min": lists.minimum,
    "range": numbers.number_range,
    "round": numbers.rounded,
    "sorted": lists.sort,
    "str": texts.to_text,
    "sum": lists.total,
}

METHODS: Mapping[str, Callable[..., Any]] = {
    "capitalize": texts.capitalize,
    "endswith": texts.ends_with,
    "get": lists.get,
    "items": lists.items,
    "join": texts.join_method,
    "keys": lists.keys,
    "lower": texts.lower,
    "lstrip": texts.left_trim,
    "replace": texts.replace,
    "rstrip": texts.right_trim,
    "split": texts.split,
    "startswith": texts.starts_with,
    "strip": texts.trim,
    "title": texts.title,
    "upper": texts.upper,
    "values": lists.values,
}
