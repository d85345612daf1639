"""Filters over text. Each charges what it reads and what it makes before it makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from flowmaestro.workflow.expressions.arguments import (
    need_boolean,
    need_integer,
    need_list,
    need_text,
)
from flowmaestro.workflow.expressions.errors import ExpressionError
from flowmaestro.workflow.expressions.lookups import attribute_getter
from flowmaestro.workflow.expressions.run import Run
from flowmaestro.workflow.limits import MAX_INTEGER

_MOST = 1_000_000_000
# 'ß' is 'SS' and some ligatures are three letters in another case.
_CASE_GROWTH = 3


def upper(run: Run, value: Any) -> str:
    """``'a'|upper`` → ``'A'``."""
    return _cased(run, value, "upper").upper()


def lower(run: Run, value: Any) -> str:
    """``'A'|lower`` → ``'a'``."""
    return _cased(run, value, "lower").lower()


def title(run: Run, value: Any) -> str:
    """``'two words'|title`` → ``'Two Words'``."""
    return _cased(run, value, "title").title()


def capitalize(run: Run, value: Any) -> str:
    """``'two WORDS'|capitalize`` → ``'Two words'``."""
    return _cased(run, value, "capitalize").capitalize()


def trim(run: Run, value: Any, chars: Any = None) -> str:
    """``' a '|trim`` → ``'a'``; with *chars*, those characters instead of white space."""
    return need_text(run, value, "trim").strip(_optional_text(run, chars, "trim"))


def left_trim(run: Run, value: Any, chars: Any = None) -> str:
    """``' a '.lstrip()`` → ``'a '``."""
    return need_text(run, value, "lstrip").lstrip(_optional_text(run, chars, "lstrip"))


def right_trim(run: Run, value: Any, chars: Any = None) -> str:
    """``' a '.rstrip()`` → ``' a'``."""
    return need_text(run, value, "rstrip").rstrip(_optional_text(run, chars, "rstrip"))


def replace(run: Run, value: Any, old: Any, new: Any, count: Any = None) -> str:
    """``'aXbX'|replace('X', '-')`` → ``'a-b-'``; with *count*, only the first ones."""
    text, old_text = need_text(run, value, "replace"), need_text(run, old, "replace")
    new_text = need_text(run, new, "replace")
    found = text.count(old_text)
    if count is not None:
        found = min(found, need_integer(count, "replace count", least=0, most=_MOST))
    run.grow(found * len(new_text))
    return text.replace(old_text, new_text, found)


def split(run: Run, value: Any, sep: Any = None, maxsplit: Any = -1) -> list[str]:
    """``'a,b'|split(',')`` → ``['a', 'b']``; without a separator, the words."""
    text, separator = need_text(run, value, "split"), _optional_text(run, sep, "split")
    if separator == "":
        raise ExpressionError("'split' needs a separator of at least one character.")
    most = need_integer(maxsplit, "split maxsplit", least=-1, most=_MOST)
    run.grow(text.count(separator) if separator else len(text) // 2)
    return text.split(separator, most)


def join(run: Run, value: Any, d: Any = "", attribute: Any = None) -> str:
    """``[1, 2]|join(', ')`` → ``'1, 2'``; with *attribute*, of that field of each element."""
    separator = need_text(run, d, "join")
    items, get = need_list(run, value, "join"), attribute_getter(run, attribute)
    run.grow(len(separator) * len(items))
    parts = []
    for item in items:
        part = run.text(get(item))
        run.grow(len(part))
        parts.append(part)
    return separator.join(parts)


def join_method(run: Run, separator: Any, values: Any) -> str:
    """``', '.join(values)``."""
    return join(run, values, separator)


def truncate(
    run: Run,
    value: Any,
    length: Any = 255,
    killwords: Any = False,
    end: Any = "...",
) -> str:
    """Shorten to *length* characters with *end* in them, at a word's end unless *killwords*."""
    text, tail = need_text(run, value, "truncate"), need_text(run, end, "truncate")
    most = need_integer(length, "truncate length", least=len(tail), most=_MOST)
    if len(text) <= most:
        return text
    kept = text[: most - len(tail)]
    if not need_boolean(killwords, "truncate killwords"):
        kept = kept.rsplit(" ", 1)[0]
    return kept + tail


def indent(run: Run, value: Any, width: Any = 4, first: Any = False, blank: Any = False) -> str:
    """Indent each line but the first by *width* spaces; *first* and *blank* lines on demand."""
    text = need_text(run, value, "indent")
    space = " " * need_integer(width, "indent width", least=0, most=100)
    lines = text.split("\n")
    run.step(len(lines))
    run.grow(len(lines) * len(space))
    with_first = need_boolean(first, "indent first")
    with_blank = need_boolean(blank, "indent blank")
    return "\n".join(
        space + line if (number or with_first) and (line or with_blank) else line
        for number, line in enumerate(lines)
    )


def word_count(run: Run, value: Any) -> int:
    """``'two words'|wordcount`` → ``2``."""
    return len(need_text(run, value, "wordcount").split())


def starts_with(run: Run, value: Any, prefix: Any) -> bool:
    """``'abc'.startswith('a')`` → ``true``."""
    return need_text(run, value, "startswith").startswith(need_text(run, prefix, "startswith"))


def ends_with(run: Run, value: Any, suffix: Any) -> bool:
    """``'abc'.endswith('c')`` → ``true``."""
    return need_text(run, value, "endswith").endswith(need_text(run, suffix, "endswith"))


def to_text(run: Run, value: Any) -> str:
    """``1|string`` → ``'1'``: any value as the text it is inside a template."""
    return run.text(value)


def url_encode(run: Run, value: Any) -> str:
    """``'a b&c'|urlencode`` → ``'a%20b%26c'``; an object becomes ``key=value&key=value``."""
    try:
        if isinstance(value, Mapping):
            run.step(len(value))
            return "&".join(
                f"{quote_plus(_quotable(run, key))}={quote_plus(_quotable(run, item))}"
                for key, item in value.items()
            )
        return quote(_quotable(run, value), safe="/")
    except UnicodeEncodeError:
        raise ExpressionError("'urlencode' needs text that UTF-8 can write.") from None


def to_json(run: Run, value: Any, indent: Any = None) -> str:
    """``{'a': [1]}|tojson`` → ``'{"a": [1]}'``; *indent* (0 to 8) writes it over lines."""
    if indent is None:
        return run.json(value)
    spaces = need_integer(indent, "tojson indent", least=0, most=8)
    return run.json(value, indent=spaces)


def from_json(run: Run, value: Any) -> Any:
    """``'{"a": 1}'|fromjson`` → ``{'a': 1}``."""
    text = need_text(run, value, "fromjson")
    try:
        result = json.loads(text, parse_constant=_refuse_constant, parse_int=_bounded_integer)
    except (ValueError, RecursionError):
        raise ExpressionError("'fromjson' needs text that is JSON.") from None
    run.measure(result)
    return result


def _cased(run: Run, value: Any, user: str) -> str:
    text = need_text(run, value, user)
    run.grow(len(text) * (_CASE_GROWTH - 1) if not text.isascii() else 0)
    return text


def _optional_text(run: Run, value: Any, user: str) -> str | None:
    return None if value is None else need_text(run, value, user)


def _quotable(run: Run, value: Any) -> str:
    text = run.text(value)
    run.grow(len(text) * 12)  # a character is up to four bytes, each of them three characters
    return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _bounded_integer(digits: str) -> int:
    number = int(digits)
    if abs(number) > MAX_INTEGER:
        raise ValueError(digits)
    return number
