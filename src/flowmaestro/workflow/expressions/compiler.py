"""From Jinja's syntax tree to closures.

Jinja's parser reads an expression; nothing else of Jinja is used. Each syntax node becomes a Python
closure over the closures of its parts. An expression has no loops and no functions of its own, so
each closure runs once for each evaluation, except for the filters that visit elements, which charge
the run for it: what an expression may cost is bounded by its own length and by the run's budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateSyntaxError as JinjaSyntaxError
from jinja2 import nodes

from flowmaestro.workflow.expressions.calls import CallCompiler
from flowmaestro.workflow.expressions.errors import ExpressionError, TemplateSyntaxError
from flowmaestro.workflow.expressions.lookups import compile_name, compile_path, lookup
from flowmaestro.workflow.expressions.operators import BINARY, COMPARE, negate, positive
from flowmaestro.workflow.expressions.parse_messages import in_our_words
from flowmaestro.workflow.expressions.run import Closure, Run, check_scalar, type_name
from flowmaestro.workflow.expressions.syntax import (
    MAX_NESTING,
    constant_path,
    describe,
    optional_names,
    parse,
)


@dataclass(frozen=True)
class Compiled:
    """A compiled expression and what it may look up."""

    evaluate: Closure
    names: frozenset[str]
    """The root names it may look up."""
    members: frozenset[tuple[str, str | None]]
    """Each root name with the field of it that the expression names, such as ``('nodes', 'a')`` for
    ``nodes['a'].text``; ``None`` in the field's place where it is computed or the whole is used."""
    required_names: frozenset[str]
    """The root names that must be there, so that it has a value: those that no ``default`` and no
    ``is defined`` asks about."""
    makes_value: bool
    """Whether the result may be a list or an object that is not part of the data."""


def compile_expression(source: str) -> Compiled:
    """Compile the text between ``{{`` and ``}}``.

    Raises :class:`TemplateSyntaxError` for what does not parse or is not allowed.
    """
    try:
        tree = parse(source)
        compiler = _Compiler()
        evaluate = compiler.compile(tree)
    except JinjaSyntaxError as error:
        reason = in_our_words(error.message)
        raise TemplateSyntaxError(
            f"The expression does not parse: {reason}.", line=error.lineno
        ) from error
    except RecursionError:
        raise TemplateSyntaxError("The expression is nested too deeply.") from None
    except (ValueError, OverflowError):
        raise TemplateSyntaxError("The expression holds a number that is too large.") from None
    names = frozenset(name for name, _ in compiler.members)
    return Compiled(
        evaluate,
        names,
        frozenset(compiler.members),
        names - optional_names(tree),
        not isinstance(tree, (nodes.Name, nodes.Getattr, nodes.Getitem)),
    )


class _Compiler:
    """Compiles one expression; collects what it looks up."""

    def __init__(self) -> None:
        self.members: set[tuple[str, str | None]] = set()
        self.depth = 0
        calls = CallCompiler(self.compile)
        self.compilers: Mapping[type[nodes.Node], Callable[[Any], Closure]] = {
            nodes.Name: self.name,
            nodes.Const: self.constant,
            nodes.TemplateData: self.constant,
            nodes.Getattr: self.member,
            nodes.Getitem: self.member,
            nodes.List: self.elements,
            nodes.Tuple: self.elements,
            nodes.Dict: self.fields,
            nodes.CondExpr: self.conditional,
            nodes.And: self.both,
            nodes.Or: self.either,
            nodes.Not: self.negation,
            nodes.Neg: self.sign,
            nodes.Pos: self.sign,
            nodes.Compare: self.comparison,
            nodes.Concat: self.concatenation,
            nodes.Filter: calls.filter,
            nodes.Test: calls.test,
            nodes.Call: calls.call,
        }

    def compile(self, node: nodes.Node) -> Closure:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise TemplateSyntaxError(f"The expression is nested deeper than {MAX_NESTING} levels.")
        if isinstance(node, nodes.BinExpr) and type(node).__name__ in BINARY:
            closure = self.binary(node)
        else:
            compiler = self.compilers.get(type(node))
            if compiler is None:
                raise TemplateSyntaxError(
                    f"Expressions have no '{type(node).__name__}': they are literals, names, "
                    "operators, filters, tests and a few functions."
                )
            closure = compiler(node)
        self.depth -= 1
        return closure

    def name(self, node: nodes.Name) -> Closure:
        self.members.add((node.name, None))
        return compile_name(node.name)

    def constant(self, node: nodes.Const) -> Closure:
        value = node.value
        if type(value) is str:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise TemplateSyntaxError("A text holds half a surrogate pair.") from None
        try:
            check_scalar(value)
        except ExpressionError:
            raise TemplateSyntaxError("The expression holds a number that is too large.") from None
        return lambda _run: value

    def member(self, node: nodes.Getattr | nodes.Getitem) -> Closure:
        path = constant_path(node)
        if path is not None:
            name, keys, owners = path
            self.members.add((name, keys[0] if isinstance(keys[0], str) else None))
            return compile_path(name, keys, owners)
        owner = describe(node.node)
        container = self.compile(node.node)
        if isinstance(node, nodes.Getattr):
            field = node.attr
            return lambda run: lookup(container(run), field, owner)
        if isinstance(node.arg, nodes.Slice):
            return self.slice(container, node.arg)
        key = self.compile(node.arg)
        return lambda run: lookup(container(run), key(run), owner)

    def slice(self, container: Closure, node: nodes.Slice) -> Closure:
        bounds = [
            self.compile(part) if part is not None else None
            for part in (node.start, node.stop, node.step)
        ]

        def cut(run: Run) -> Any:
            value = container(run)
            if type(value) is not list and type(value) is not str:
                raise ExpressionError(f"A slice needs a list or text, not {type_name(value)}.")
            found = [None if bound is None else bound(run) for bound in bounds]
            for bound in found:
                if bound is not None and type(bound) is not int:
                    raise ExpressionError(f"A slice needs integers, not {type_name(bound)}.")
            if found[2] == 0:
                raise ExpressionError("A slice needs a step other than 0.")
            run.grow(len(value))
            return value[slice(*found)]

        return cut

    def elements(self, node: nodes.List | nodes.Tuple) -> Closure:
        parts = tuple(self.compile(part) for part in node.items)
        return lambda run: [part(run) for part in parts]

    def fields(self, node: nodes.Dict) -> Closure:
        pairs = tuple((self.compile(pair.key), self.compile(pair.value)) for pair in node.items)

        def make(run: Run) -> dict[str, Any]:
            made = {}
            for key_of, value_of in pairs:
                key = key_of(run)
                if type(key) is not str:
                    raise ExpressionError(
                        f"An object's field is named by text, not {type_name(key)}."
                    )
                made[key] = value_of(run)
            return made

        return make

    def conditional(self, node: nodes.CondExpr) -> Closure:
        condition, then = self.compile(node.test), self.compile(node.expr1)
        if node.expr2 is None:
            return lambda run: then(run) if condition(run) else None
        otherwise = self.compile(node.expr2)
        return lambda run: then(run) if condition(run) else otherwise(run)

    def both(self, node: nodes.And) -> Closure:
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda run: left(run) and right(run)

    def either(self, node: nodes.Or) -> Closure:
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda run: left(run) or right(run)

    def negation(self, node: nodes.Not) -> Closure:
        operand = self.compile(node.node)
        return lambda run: not operand(run)

    def sign(self, node: nodes.Neg | nodes.Pos) -> Closure:
        operand, apply = (
            self.compile(node.node),
            negate if isinstance(node, nodes.Neg) else positive,
        )
        return lambda run: apply(operand(run))

    def binary(self, node: nodes.BinExpr) -> Closure:
        apply = BINARY[type(node).__name__]
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda run: apply(run, left(run), right(run))

    def comparison(self, node: nodes.Compare) -> Closure:
        first = self.compile(node.expr)
        links = tuple((COMPARE[part.op], self.compile(part.expr)) for part in node.ops)
        if len(links) == 1:
            compare, second = links[0]
            return lambda run: compare(run, first(run), second(run))

        def chain(run: Run) -> bool:
            left = first(run)
            for compare, operand in links:
                right = operand(run)
                if not compare(run, left, right):
                    return False
                left = right
            return True

        return chain

    def concatenation(self, node: nodes.Concat) -> Closure:
        parts = tuple(self.compile(part) for part in node.nodes)

        def join(run: Run) -> str:
            texts = [run.text(part(run)) for part in parts]
            run.grow(sum(map(len, texts)))
            return "".join(texts)

        return join
