"""Compiling filters, tests, functions and methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import nodes

from flowmaestro.workflow.expressions import selection
from flowmaestro.workflow.expressions.checks import CHECKS
from flowmaestro.workflow.expressions.errors import TemplateSyntaxError
from flowmaestro.workflow.expressions.library import FILTERS, FUNCTIONS, METHODS
from flowmaestro.workflow.expressions.run import Closure, Missing, Run
from flowmaestro.workflow.expressions.syntax import (
    check_arguments,
    constant_text,
    named_arguments,
    unknown,
)

_SPECIAL_FILTERS = ("d", "default", "map", "reject", "rejectattr", "select", "selectattr")
_SPECIAL_CHECKS = ("defined", "undefined")


class CallCompiler:
    """Compiles what is called; *compile_node* compiles operands and arguments."""

    def __init__(self, compile_node: Callable[[nodes.Node], Closure]) -> None:
        self.compile = compile_node

    def filter(self, node: nodes.Filter) -> Closure:
        """Compile ``value|name(arguments)``."""
        named = named_arguments(node)
        if node.node is None:
            raise TemplateSyntaxError(f"The filter '{node.name}' needs a value before it.")
        operand = self.compile(node.node)
        if node.name in ("default", "d"):
            return self._default(operand, node.args, named)
        if node.name == "map":
            return self._map(operand, node.args, named)
        if node.name in ("select", "reject"):
            return self._select(node.name, operand, node.args, named)
        if node.name in ("selectattr", "rejectattr"):
            return self._select_attribute(node.name, operand, node.args, named)
        prepare = self._filter_caller(node.name, node.args, named)
        return lambda run: prepare(run)(run, operand(run))

    def test(self, node: nodes.Test) -> Closure:
        """Compile ``value is name(arguments)``."""
        if named_arguments(node):
            raise TemplateSyntaxError(f"The test '{node.name}' takes no named arguments.")
        operand = self.compile(node.node)
        if node.name in _SPECIAL_CHECKS:
            return self._is_defined(node, operand)
        prepare = self._check_caller(node.name, node.args)
        return lambda run: prepare(run)(run, operand(run))

    def call(self, node: nodes.Call) -> Closure:
        """Compile ``name(arguments)`` and ``value.name(arguments)``."""
        named, called = named_arguments(node), node.node
        if isinstance(called, nodes.Name):
            function = FUNCTIONS.get(called.name)
            if function is None:
                raise unknown("function", called.name, FUNCTIONS)
            what = f"The function '{called.name}'"
            call = self._caller(what, function, node.args, named, leading=1)
            return lambda run: call(run)(run)
        if isinstance(called, nodes.Getattr):
            method = METHODS.get(called.attr)
            if method is None:
                raise unknown("method", called.attr, METHODS)
            operand = self.compile(called.node)
            prepare = self._caller(f"The method '{called.attr}'", method, node.args, named)
            return lambda run: prepare(run)(run, operand(run))
        raise TemplateSyntaxError(
            f"Only functions and methods are called: {', '.join(FUNCTIONS)}, "
            f"{', '.join('.' + name for name in METHODS)}."
        )

    def _filter_caller(
        self, name: str, args: Sequence[nodes.Expr], named: Mapping[str, nodes.Expr]
    ) -> selection.Prepare:
        function = FILTERS.get(name)
        if function is None:
            raise unknown("filter", name, (*FILTERS, *_SPECIAL_FILTERS))
        return self._caller(f"The filter '{name}'", function, args, named)

    def _check_caller(self, name: str, args: Sequence[nodes.Expr]) -> selection.Prepare:
        function = CHECKS.get(name)
        if function is None:
            raise unknown("test", name, (*CHECKS, *_SPECIAL_CHECKS))
        return self._caller(f"The test '{name}'", function, args, {})

    def _caller(
        self,
        what: str,
        function: Callable[..., Any],
        args: Sequence[nodes.Expr],
        named: Mapping[str, nodes.Expr],
        *,
        leading: int = 2,
    ) -> selection.Prepare:
        """Compile the arguments of *function*, whose first *leading* parameters are not theirs.

        What is returned computes them once and gives what applies them to a value.
        """
        check_arguments(what, function, leading, len(args), named)
        positional = tuple(self.compile(part) for part in args)
        keywords = {key: self.compile(part) for key, part in named.items()}
        if not positional and not keywords:
            return lambda _run: function

        def prepare(run: Run) -> selection.Caller:
            values = [part(run) for part in positional]
            options = {key: part(run) for key, part in keywords.items()}
            return lambda run, *value: function(run, *value, *values, **options)

        return prepare

    def _default(
        self, operand: Closure, args: Sequence[nodes.Expr], named: Mapping[str, nodes.Expr]
    ) -> Closure:
        parameters = ("default_value", "boolean")
        given = dict(zip(parameters, args, strict=False))
        if len(args) > len(parameters) or not named.keys() <= set(parameters) - given.keys():
            raise TemplateSyntaxError("The filter 'default' takes default_value, boolean.")
        given |= named
        value_node, boolean_node = given.get("default_value"), given.get("boolean")
        instead = self.compile(value_node or nodes.Const(""))
        also_falsy = self.compile(boolean_node or nodes.Const(False))

        def choose(run: Run) -> Any:
            try:
                value = operand(run)
            except Missing:
                return instead(run)
            return value if value or not also_falsy(run) else instead(run)

        return choose

    def _is_defined(self, node: nodes.Test, operand: Closure) -> Closure:
        if node.args:
            raise TemplateSyntaxError(f"The test '{node.name}' takes no arguments.")
        when_found = node.name == "defined"

        def exists(run: Run) -> bool:
            try:
                operand(run)
            except Missing:
                return not when_found
            return when_found

        return exists

    def _map(
        self, operand: Closure, args: Sequence[nodes.Expr], named: Mapping[str, nodes.Expr]
    ) -> Closure:
        if "attribute" in named and not args and named.keys() <= {"attribute", "default"}:
            default = self.compile(named["default"]) if "default" in named else None
            return selection.map_attribute(operand, self.compile(named["attribute"]), default)
        name = constant_text(args[0]) if args else None
        if name is None:
            raise TemplateSyntaxError(
                "The filter 'map' takes attribute='field', or a filter's name and its arguments."
            )
        return selection.map_filter(operand, self._filter_caller(name, args[1:], named))

    def _select(
        self,
        user: str,
        operand: Closure,
        args: Sequence[nodes.Expr],
        named: Mapping[str, nodes.Expr],
    ) -> Closure:
        prepare = self._selecting_test(user, args, named)
        return selection.select(operand, prepare, keep=user == "select", user=user)

    def _select_attribute(
        self,
        user: str,
        operand: Closure,
        args: Sequence[nodes.Expr],
        named: Mapping[str, nodes.Expr],
    ) -> Closure:
        if not args:
            raise TemplateSyntaxError(f"The filter '{user}' takes a field, a test, its arguments.")
        attribute, prepare = self.compile(args[0]), self._selecting_test(user, args[1:], named)
        return selection.select_attribute(
            operand,
            attribute,
            prepare,
            when_missing=len(args) > 1 and constant_text(args[1]) == "undefined",
            keep=user == "selectattr",
            user=user,
        )

    def _selecting_test(
        self, user: str, args: Sequence[nodes.Expr], named: Mapping[str, nodes.Expr]
    ) -> selection.Prepare:
        if named:
            raise TemplateSyntaxError(f"The filter '{user}' takes no named arguments.")
        if not args:
            return lambda _run: _truth
        name = constant_text(args[0])
        if name is None:
            raise TemplateSyntaxError(f"The filter '{user}' needs a test's name as text.")
        if name in _SPECIAL_CHECKS:
            # An element that is there is defined, whatever it is.
            return self._caller(f"The test '{name}'", _yes if name == "defined" else _no, [], {})
        return self._check_caller(name, args[1:])


def _truth(_run: Run, value: Any) -> bool:
    return bool(value)


def _yes(_run: Run, _value: Any) -> bool:
    return True


def _no(_run: Run, _value: Any) -> bool:
    return False
