"""Templates: text with ``{{ expressions }}`` in it, and JSON values with such text in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from flowmaestro.workflow.expressions.compiler import Compiled, compile_expression
from flowmaestro.workflow.expressions.errors import (
    BudgetExceeded,
    ExpressionError,
    TemplateSyntaxError,
    UndefinedName,
)
from flowmaestro.workflow.expressions.run import Closure, Missing, Run, check_scalar
from flowmaestro.workflow.limits import RenderLimits

DEFAULT_LIMITS = RenderLimits()

_CACHED_TEMPLATES = 2_048
_CACHED_CHARACTERS = 4_096
_MAX_EXPRESSIONS = 1_000
_MAX_CODE_CHARACTERS = 50_000
_OPENING = re.compile(r"\{[{%#]")
# What can hold or end an expression: texts in quotes, braces that nest, the end itself. A quote
# that is never closed takes the rest: were it passed over, each quote in it would be tried too.
_INSIDE = re.compile(r"""'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}]""", re.DOTALL)


class Template:
    """A compiled text. It keeps nothing of what it renders and may be shared."""

    __slots__ = (
        "_render",
        "expression_characters",
        "is_constant",
        "is_expression",
        "members",
        "names",
        "required_names",
        "text",
    )

    def __init__(self, text: str, parts: list[str | tuple[str, Compiled]]) -> None:
        expressions = [part for part in parts if not isinstance(part, str)]
        self.text = text
        self.is_expression = len(parts) == 1 and len(expressions) == 1
        """Whether the whole text is one expression, so that its value keeps its type."""
        self.is_constant = not expressions
        """Whether the text holds no expression."""
        self.expression_characters = sum(len(written) for written, _ in expressions)
        """How long the expressions are together, braces included."""
        self.names = frozenset[str]().union(*(compiled.names for _, compiled in expressions))
        """The root names that rendering may look up."""
        self.required_names = frozenset[str]().union(
            *(compiled.required_names for _, compiled in expressions)
        )
        """Those of them without which rendering fails: no ``default`` or ``is defined`` asks about
        them in the same expression."""
        self.members = frozenset[tuple[str, str | None]]().union(
            *(compiled.members for _, compiled in expressions)
        )
        """Each root name with the field of it that is named, ``None`` where none is: for
        ``{{ secrets.TOKEN }}``, ``('secrets', 'TOKEN')``."""
        if self.is_constant:
            constant = "".join(part for part in parts if isinstance(part, str))
            self._render: Closure = lambda _run: constant
        elif self.is_expression:
            self._render = _guard(*expressions[0])
        else:
            self._render = _join(
                [part if isinstance(part, str) else _guard(*part) for part in parts]
            )

    def render(self, names: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> Any:
        """Return the value of a text that is one whole expression, else the text with each
        expression's value in it.

        *names* is asked for the names that are used and no others; its values are JSON values, or
        mappings that look theirs up. Raises :class:`ExpressionError`.
        """
        return self._render(Run(names, limits))

    def render_in(self, run: Run) -> Any:
        """Render within a budget that other templates share."""
        return self._render(run)

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets that the text uses."""
        return members_of(self.members, "secrets")

    @property
    def uses_secrets(self) -> bool:
        """Whether the text may use a secret, one whose name is computed included."""
        return "secrets" in self.names


class CompiledValue:
    """A JSON value whose texts are templates; made once, rendered any number of times."""

    __slots__ = ("_render", "is_constant", "members", "names", "templates", "value")

    def __init__(
        self, value: Any, render: Callable[[Run], Any] | None, templates: tuple[Template, ...]
    ) -> None:
        self.value = value
        """The value as written."""
        self.is_constant = render is None
        """Whether there is nothing to render: :meth:`render` returns the value itself."""
        self.templates = templates
        """The texts that hold expressions, in the order they are written."""
        self.names = frozenset[str]().union(*(template.names for template in templates))
        self.members = frozenset[tuple[str, str | None]]().union(
            *(template.members for template in templates)
        )
        self._render = render

    def render(self, names: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> Any:
        """Return the value with every template rendered, all within one budget. What holds no
        template is not copied. Raises :class:`ExpressionError`."""
        if self._render is None:
            return self.value
        return self._render(Run(names, limits))

    def render_in(self, run: Run) -> Any:
        """Render within a budget that other values share."""
        return self.value if self._render is None else self._render(run)

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets that the value uses."""
        return members_of(self.members, "secrets")

    @property
    def uses_secrets(self) -> bool:
        """Whether the value may use a secret."""
        return "secrets" in self.names


def compile_template(text: str) -> Template:
    """Compile *text*; texts of ordinary length are compiled once.

    ``{{- x -}}`` drops the white space beside it, ``{# … #}`` is a comment, ``{{ '{{' }}`` writes
    the braces themselves. Raises :class:`TemplateSyntaxError`, also for ``{% blocks %}``: a
    template computes values, it has no control flow.
    """
    if len(text) > _CACHED_CHARACTERS:
        return _compile_template(text)
    return _cached_template(text)


def compile_bare(text: str) -> Template:
    """Compile *text*, an expression with or without its ``{{ }}``.

    Raises :class:`TemplateSyntaxError`, also for ``{{ a }} > {{ b }}``: that is a text, and a text
    that is not empty is always true.
    """
    if len(text) > _CACHED_CHARACTERS:
        return _compile_bare(text)
    return _cached_bare(text)


def evaluate(
    expression: str, names: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS
) -> Any:
    """Return the value of *expression*, with or without ``{{ }}``. Raises
    :class:`ExpressionError`."""
    return compile_bare(expression).render(names, limits)


def compile_value(value: Any) -> CompiledValue:
    """Compile every text in *value*, a JSON value; field names are not templates.

    Raises :class:`TemplateSyntaxError` for the first text that does not compile.
    """
    templates: list[Template] = []
    render = _compile_tree(value, templates)
    return CompiledValue(value, render, tuple(templates))


def has_template(text: str) -> bool:
    """Whether *text* holds an expression, a comment or a block: anything but itself."""
    return _OPENING.search(text) is not None


def members_of(members: frozenset[tuple[str, str | None]], root: str) -> frozenset[str]:
    """Return the fields of *root* that *members* name."""
    return frozenset(field for name, field in members if name == root and field is not None)


def _compile_tree(value: Any, templates: list[Template]) -> Closure | None:
    """Return what renders *value*, or ``None`` where there is nothing to render."""
    if isinstance(value, str):
        if not has_template(value):
            return None
        template = compile_template(value)
        templates.append(template)
        return template.render_in
    if isinstance(value, Mapping):
        fields = [(key, item, _compile_tree(item, templates)) for key, item in value.items()]
        if all(render is None for _, _, render in fields):
            return None
        return lambda run: {
            key: item if render is None else render(run) for key, item, render in fields
        }
    if isinstance(value, list):
        items = [(item, _compile_tree(item, templates)) for item in value]
        if all(render is None for _, render in items):
            return None
        return lambda run: [item if render is None else render(run) for item, render in items]
    return None


def _compile_bare(text: str) -> Template:
    if not text.lstrip().startswith("{{"):
        return Template(text, [(text.strip(), _compile_part(text, text, 0))])
    template = compile_template(text.strip())
    if not template.is_expression:
        raise TemplateSyntaxError(
            "An expression stands in one pair of braces, such as '{{ a > b }}', or in none.", text
        )
    return template


@lru_cache(maxsize=_CACHED_TEMPLATES)
def _cached_bare(text: str) -> Template:
    return _compile_bare(text)


@lru_cache(maxsize=_CACHED_TEMPLATES)
def _cached_template(text: str) -> Template:
    return _compile_template(text)


def _compile_template(text: str) -> Template:
    return Template(text, _split(text))


def _split(text: str) -> list[str | tuple[str, Compiled]]:
    """Split *text* into what stands as it is and its expressions, each with how it is written."""
    if text.count("{{") > _MAX_EXPRESSIONS:
        raise TemplateSyntaxError(f"A text holds at most {_MAX_EXPRESSIONS:,} expressions.")
    parts: list[str | tuple[str, Compiled]] = []
    position, strip_next, code_characters = 0, False, 0
    while True:
        opening = _OPENING.search(text, position)
        plain = text[position : opening.start() if opening else len(text)]
        if strip_next:
            plain = plain.lstrip()
        if opening is None:
            if plain:
                parts.append(plain)
            return parts
        start = opening.start()
        if opening.group() == "{%":
            raise _syntax_error(
                text,
                start,
                "Blocks ('{% … %}') are not supported: write an expression, such as "
                "'{{ a if b else c }}', or {{ '{%' }} for the characters themselves.",
            )
        inside, end = _closing(text, start)
        if inside[:1] == "-":
            plain = plain.rstrip()
        strip_next = inside[-1:] == "-"
        if plain:
            parts.append(plain)
        if opening.group() == "{{":
            code_characters += len(inside)
            if code_characters > _MAX_CODE_CHARACTERS:
                message = (
                    f"A text holds at most {_MAX_CODE_CHARACTERS:,} characters of expressions."
                )
                raise _syntax_error(text, start, message)
            code = inside.removeprefix("-").removeprefix("+").removesuffix("-")
            parts.append((text[start:end], _compile_part(code, text, start)))
        position = end


def _closing(text: str, start: int) -> tuple[str, int]:
    """Return what is inside the braces that open at *start*, and where the text goes on."""
    if text[start + 1] == "#":
        end = text.find("#}", start + 2)
        if end < 0:
            raise _syntax_error(text, start, "The comment is not closed by '#}'.")
        return text[start + 2 : end], end + 2
    depth, position = 0, start + 2
    while True:
        token = _INSIDE.search(text, position)
        if token is None:
            raise _syntax_error(text, start, "The expression is not closed by '}}'.")
        position = token.end()
        if token.group() == "{":
            depth += 1
        elif token.group() == "}" and depth:
            depth -= 1
        elif token.group() == "}" and text.startswith("}", position):
            return text[start + 2 : token.start()], position + 1


def _compile_part(code: str, text: str, start: int) -> Compiled:
    try:
        return compile_expression(code)
    except TemplateSyntaxError as error:
        raise _syntax_error(
            text, start, error.message, code.strip(), error.line
        ) from error.__cause__


def _syntax_error(
    text: str, start: int, message: str, expression: str = "", line: int = 1
) -> TemplateSyntaxError:
    before = text[:start]
    return TemplateSyntaxError(
        message,
        expression,
        line=before.count("\n") + line,
        column=start - (before.rfind("\n") + 1) + 1,
    )


def _guard(written: str, compiled: Compiled) -> Closure:
    """Return what evaluates *compiled* for a template: what it raises says where, and what it
    returns is JSON within bounds."""
    evaluate, makes_value = compiled.evaluate, compiled.makes_value

    def guarded(run: Run) -> Any:
        try:
            value = evaluate(run)
            if makes_value:
                kind = type(value)
                if kind is list or kind is dict:
                    run.measure(value)
                else:
                    check_scalar(value)
        except Missing as missing:
            raise UndefinedName(missing.describe(), written) from None
        except ExpressionError as error:
            if not error.expression:
                error.expression = written
            raise
        except RecursionError:
            raise BudgetExceeded("The expression is nested too deeply.", written) from None
        return value

    return guarded


def _join(parts: list[str | Closure]) -> Closure:
    def join(run: Run) -> str:
        texts = [part if isinstance(part, str) else run.text(part(run)) for part in parts]
        run.grow(sum(map(len, texts)))
        return "".join(texts)

    return join
