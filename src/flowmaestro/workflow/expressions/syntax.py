"""Reading an expression with Jinja's parser, and reading Jinja's syntax tree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from jinja2 import Environment, nodes
from jinja2.parser import Parser

from flowmaestro.workflow.expressions.errors import TemplateSyntaxError
from flowmaestro.workflow.expressions.lookups import near_misses

MAX_EXPRESSION_CHARACTERS = 10_000
MAX_NESTING = 100
_ASKING = frozenset({"default", "d", "defined", "undefined"})
"""Filters and tests that do without what they are applied to."""

Path = tuple[str, tuple[str | int, ...], tuple[str, ...]]
"""A root name, the fields and indexes followed from it, and how each one's owner is written."""


def parse(source: str) -> nodes.Expr:
    """Return the syntax tree of one expression.

    Raises :class:`TemplateSyntaxError`, and Jinja's own for what its parser refuses.
    """
    if len(source) > MAX_EXPRESSION_CHARACTERS:
        raise TemplateSyntaxError(
            f"An expression has at most {MAX_EXPRESSION_CHARACTERS:,} characters."
        )
    if not source.strip():
        raise TemplateSyntaxError("The expression is empty.")
    parser = Parser(_environment(), source, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        rest = str(parser.stream.current.value)[:20]
        raise TemplateSyntaxError(f"The expression does not parse: unexpected '{rest}'.")
    return tree


def describe(node: nodes.Node) -> str:
    """Return how *node* is written, for a sentence about it."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{describe(node.node)}.{node.attr}"[-80:]
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return f"{describe(node.node)}[{node.arg.value!r}]"[-80:]
    return "the value"


def optional_names(tree: nodes.Expr) -> frozenset[str]:
    """Return the root names in *tree* that a ``default`` or an ``is defined`` asks about."""
    found: set[str] = set()
    pending: list[tuple[nodes.Node, bool]] = [(tree, False)]
    while pending:
        node, optional = pending.pop()
        if isinstance(node, nodes.Name) and optional:
            found.add(node.name)
        asks = isinstance(node, (nodes.Filter, nodes.Test)) and node.name in _ASKING
        for field, value in node.iter_fields():
            inside = optional or (asks and field == "node")
            parts = value if isinstance(value, list) else [value]
            pending += [(part, inside) for part in parts if isinstance(part, nodes.Node)]
    return frozenset(found)


def constant_path(node: nodes.Expr) -> Path | None:
    """Return the path that *node* is when its fields and indexes are all written out."""
    keys: list[str | int] = []
    owners: list[str] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        if len(keys) == MAX_NESTING:
            return None
        if isinstance(node, nodes.Getattr):
            keys.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and type(node.arg.value) in (str, int):
            keys.append(node.arg.value)
        else:
            return None
        owners.append(describe(node.node))
        node = node.node
    if not isinstance(node, nodes.Name):
        return None
    return node.name, tuple(reversed(keys)), tuple(reversed(owners))


def constant_text(node: nodes.Expr) -> str | None:
    """Return the text that *node* is, ``None`` where it is something else."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return node.value
    return None


def named_arguments(node: nodes.Filter | nodes.Test | nodes.Call) -> dict[str, nodes.Expr]:
    """Return the arguments given by name; refuse ``*`` and ``**``."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise TemplateSyntaxError("Arguments are written out: '*' and '**' are not allowed.")
    named = {str(pair.key): pair.value for pair in node.kwargs}
    if len(named) != len(node.kwargs):
        raise TemplateSyntaxError("An argument is given twice.")
    return named


def check_arguments(
    what: str, function: Callable[..., Any], leading: int, count: int, names: Iterable[str]
) -> None:
    """Refuse arguments that *function* does not take after its first *leading* parameters."""
    signature = inspect.signature(function)
    try:
        signature.bind(*[None] * (leading + count), **dict.fromkeys(names))
    except TypeError:
        allowed = ", ".join(list(signature.parameters)[leading:]) or "no arguments"
        raise TemplateSyntaxError(f"{what} takes {allowed}.") from None


def unknown(kind: str, name: str, known: Iterable[str]) -> TemplateSyntaxError:
    """Return the error for a filter, test, function or method that is not there."""
    names = sorted(known)
    close = near_misses(name, names)
    end = f"; there are {', '.join(names)}." if close == "." else close
    return TemplateSyntaxError(f"There is no {kind} '{name[:60]}'{end}")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(autoescape=False)  # noqa: S701 - it parses; it never renders
