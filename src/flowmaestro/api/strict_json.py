"""JSON from strangers, when it is not a definition: parsed as strictly, bounded, and all of it text
that has a UTF-8 form."""

from __future__ import annotations

import re
from typing import Any

from flowmaestro.workflow import InvalidDefinition, Limits, parse_document

MAX_DEPTH = 64
"""How deep lists and objects may lie inside each other."""

# How large a body may be is settled before it gets here.
_LIMITS = Limits(max_bytes=2**62)
_SURROGATE = re.compile("[\ud800-\udfff]")


class InvalidJson(ValueError):
    """A text that is not JSON, or not JSON that is safe to take; it says what and where."""


def parse_json(data: bytes) -> Any:
    """Return the value that *data*, UTF-8 with or without a byte order mark, holds.

    Raises:
        InvalidJson: it breaks RFC 8259; or it holds a number that is not finite or absurdly long,
            a name twice in one object, half a surrogate pair, or too deep a nesting.
    """
    try:
        value = parse_document(data, "json", limits=_LIMITS)
    except InvalidDefinition as error:
        raise InvalidJson(error.problems[0].message) from error
    _check(value)
    return value


def _check(value: Any) -> None:
    """Walk *value* level by level, without recursion."""
    level = [value]
    depth = 0
    while level:
        containers: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if _SURROGATE.search(item):
                    raise InvalidJson(f"A string holds half a surrogate pair: {ascii(item)[:80]}.")
            elif isinstance(item, dict | list):
                containers.append(item)
        if not containers:
            return
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidJson(f"Lists and objects nest deeper than {MAX_DEPTH} levels.")
        level = []
        for container in containers:
            if isinstance(container, dict):
                level.extend(container.keys())
                level.extend(container.values())
            else:
                level.extend(container)
