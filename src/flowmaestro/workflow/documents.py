"""From the text of a definition, JSON or YAML, to values: bounded, and without surprises."""

from __future__ import annotations

import json
from typing import Any, Literal

from flowmaestro.workflow.limits import MAX_INTEGER, Limits
from flowmaestro.workflow.problems import InvalidDefinition, Problem, shorten

Format = Literal["json", "yaml"]

_DEFAULT_LIMITS = Limits()


def parse_document(
    text: str | bytes,
    format: Format = "json",  # noqa: A002
    *,
    limits: Limits = _DEFAULT_LIMITS,
) -> object:
    """Return the JSON value that *text* holds; bytes are UTF-8, with or without a mark.

    Both formats give JSON values only. A field that is written twice, a number that is not finite
    and text beyond ``limits.max_bytes`` are refused. YAML is read with the types of YAML 1.2's core
    schema (dates and ``no`` are text) in one document without tags; anchors work within
    ``limits.max_values``. Raises :class:`InvalidDefinition` with one problem, and nothing else.
    """
    try:
        data = text if isinstance(text, bytes) else text.encode()
        if len(data) > limits.max_bytes:
            raise _invalid(f"The document is larger than {limits.max_bytes:,} bytes.", "limit")
        text = data.decode("utf-8-sig")
    except UnicodeError:
        raise _invalid("The document is not UTF-8 text.") from None
    if format == "yaml":
        from flowmaestro.workflow.yaml_documents import YamlProblem, read_yaml

        try:
            return read_yaml(text, limits)
        except YamlProblem as error:
            raise _invalid(f"The document is no YAML we read: {error}") from None
    return _read_json(text)


def _read_json(text: str) -> object:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _invalid(f"The document is not JSON: {error.msg} ({where}).") from None
    except RecursionError:
        raise _invalid("The document nests too deeply.", "limit") from None
    except _Refused as error:
        raise _invalid(str(error)) from None


class _Refused(Exception):
    """JSON that parses and is refused all the same."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"The field '{shorten(key)}' is written twice in one object.")
            seen.add(key)
    return fields


def _refuse_constant(name: str) -> Any:
    raise _Refused(f"'{name}' is not a number that JSON has.")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Refused(f"The number {shorten(digits)} is too large.")
    return number


def _bounded(digits: str) -> int:
    if len(digits) > len(str(MAX_INTEGER)) + 1:
        raise _Refused("An integer has more than 300 digits.")
    return int(digits)


def _invalid(message: str, code: str = "syntax") -> InvalidDefinition:
    return InvalidDefinition([Problem("", message, code)])
