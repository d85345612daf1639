"""What the parser says of an expression, in our words."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKENS = {
    "end of template": "its end",
    "end of print statement": "'}}'",
    "begin of print statement": "'{{'",
    "end of statement block": "'%}'",
    "begin of statement block": "'{%'",
    "end of comment": "'#}'",
    "begin of comment": "'{#'",
    "template data / text": "text",
    "name": "a name",
    "string": "a text",
    "integer": "a number",
    "float": "a number",
}
_QUOTES = ("'", '"')

_Say = Callable[[re.Match[str]], str]


def _ends(found: re.Match[str]) -> str:
    return f"it ends where {_token(found[1])} is expected"


def _expected(found: re.Match[str]) -> str:
    if found[2] == "end of template":
        return _ends(found)
    return f"{_token(found[2])} stands where {_token(found[1])} is expected"


def _unexpected(found: re.Match[str]) -> str:
    if found[1] == "end of template":
        return "it ends too early"
    return f"unexpected {_token(found[1])}"


def _character(found: re.Match[str]) -> str:
    character = found[1][1:-1]
    if character in _QUOTES:
        return f"a text is not closed: its second {character} is missing"
    return f"'{character}' has no meaning here"


_MESSAGES: tuple[tuple[re.Pattern[str], _Say], ...] = tuple(
    (re.compile(pattern, re.DOTALL), say)
    for pattern, say in (
        (r"unexpected end of template, expected '(.*)'", _ends),
        (r"expected token '(.*)', got '(.*)'", _expected),
        (r"unexpected char (.*) at \d+", _character),
        (r"unexpected '(.*)'", _unexpected),
        (r"expected name or number", lambda _: "a name or a number follows a '.'"),
        (r"Invalid character in identifier", lambda _: "a name holds a character that none may"),
        (r"invalid syntax for function call.*", lambda _: "arguments with a name come last"),
        (r".*(?:escape|Unicode|codec).*", lambda _: "a '\\' in a text begins no known escape"),
        (r"You cannot chain multiple tests.*", lambda _: "one 'is' follows another: use 'and'"),
    )
)


def in_our_words(message: str | None) -> str:
    """Return why an expression does not parse, from what Jinja's parser says: it speaks of
    templates, tokens and print statements, which an author has never heard of."""
    text = (message or "it is no expression").rstrip(".")
    for pattern, say in _MESSAGES:
        found = pattern.fullmatch(text)
        if found is not None:
            return say(found)
    return text


def _token(name: str) -> str:
    return _TOKENS.get(name, f"'{name}'")
