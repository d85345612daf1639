"""Expressions written to break out, to hang, or to fill the memory."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from flowmaestro.workflow.expressions import (
    BudgetExceeded,
    ExpressionError,
    TemplateSyntaxError,
    compile_template,
    evaluate,
)

LONGEST_CPU_SECONDS = 3.0


@pytest.fixture(scope="module")
def hostile() -> dict[str, Any]:
    return {"deep": nested(100_000), "deeper": nested(100_001), "huge": 10**100_000}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__",
        "''.__class__.__mro__[1].__subclasses__()",
        "''['__class__']",
        "[].__len__",
        "obj.__class__",
        "obj['__class__']",
        "obj.__init__.__globals__",
        "''|attr('__class__')",
        "'{0.__class__}'.format(1)",
        "'%s'|format(1)",
        "'{0.__class__}'.format_map(obj)",
        "obj|map(attribute='__class__')",
        "[1]|map(attribute='real.__class__')",
        "[obj]|selectattr('__class__')|first",
        "[obj]|sort(attribute='__class__')",
        "[obj]|groupby('__class__')",
        "range.__globals__",
        "range.__self__",
        "self._TemplateReference__context",
        "cycler.__init__.__globals__",
        "lipsum.__globals__",
        "joiner",
        "namespace(a=1)",
        "dict(a=1)",
        "obj.pop('a')",
        "obj.update({'b': 1})",
        "[].append(1)",
        "obj.get.__self__",
        "().__class__",
        "(1).bit_length()",
        "none.__class__",
        "obj|pprint",
        "obj|xmlattr",
        "'a'|safe",
        "[1]|map('attr', 'real')",
        "config",
        "request",
        "loop",
        "caller()",
        "super()",
        "__import__('os')",
        "open('/etc/passwd')",
        "obj is callable",
        "1 is filter",
    ],
)
def test_there_is_no_way_out_to_python(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, {"obj": {"a": 1}})


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
        "{{ ''['__cla' ~ 'ss__'] }}",
        "{{ ''['_' * 2 ~ 'class' ~ '_' * 2] }}",
        "{{ ()|attr('\\x5f\\x5fbase\\x5f\\x5f') }}",
        "{{ obj|attr(['__', 'init', '__']|join) }}",
        "{{ obj['__init__']['__globals__']['__builtins__']['eval']('1') }}",
        "{{ obj.keys.__self__ }}",
        "{{ obj.items()|map('__class__') }}",
        "{{ [obj]|map('__import__')|list }}",
        "{{ [1]|map('eval')|list }}",
        "{{ [1]|select('__class__')|list }}",
        "{{ [obj]|rejectattr('__class__', '__eq__')|list }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
        "{{ request.application.__globals__.__builtins__.__import__('os') }}",
        "{{ get_flashed_messages.__globals__.current_app.config }}",
        "{{ url_for.__globals__ }}",
        "{{ config.__class__.from_envvar('PATH') }}",
        "{{ g.pop.__globals__ }}",
        "{{ environ }}",
        "{{ os.environ }}",
        "{{ inputs.__class__ }}",
        "{{ nodes.__class__ }}",
        "{{ secrets.__class__ }}",
        "{{ secrets.__dict__ }}",
        "{{ dict.mro() }}",
        "{{ eval('1') }}",
        "{{ exec('1') }}",
        "{{ globals() }}",
        "{{ locals() }}",
        "{{ vars() }}",
        "{{ dir() }}",
        "{{ getattr(1, 'real') }}",
        "{{ type(1) }}",
        "{{ lambda: 1 }}",
        "{{ [x for x in (1).__class__.__mro__] }}",
        "{{ (x := 1) }}",
        "{{ f'{obj}' }}",
        "{{ obj.x = 1 }}",
        "{{ await obj }}",
        "{{ _self.env.registerUndefinedFilterCallback('exec') }}",
        "{{ constructor.constructor('return process')() }}",
        "{{ obj.constructor }}",
        "{{ obj.__proto__ }}",
        "{{ T(java.lang.Runtime).getRuntime().exec('id') }}",
        "{% import os %}",
        "{% for x in [1] %}{{ x }}{% endfor %}",
        "{% set x = 1 %}",
        "{% include '/etc/passwd' %}",
        "{% extends '/etc/passwd' %}",
        "{% debug %}",
        "{% raw %}{{ 1 }}{% endraw %}",
        "{{ '{{ 1 }}' }",
        "{{ 1",
    ],
)
def test_what_breaks_out_of_other_template_engines_does_not_here(template: str) -> None:
    names = {"obj": {"a": 1}, "inputs": {}, "nodes": {}, "secrets": {"TOKEN": "hidden-value"}}
    with pytest.raises((ExpressionError, TemplateSyntaxError)) as refused:
        compile_template(template).render(names)
    assert "hidden-value" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["${7*7}", "#{7*7}", "<%= 7*7 %>", "@(7*7)", "*{7*7}", "[[7*7]]", "$(id)", "`id`"]
)
def test_what_is_code_to_others_is_text_here(text: str) -> None:
    assert compile_template(text).render({}) == text


def test_what_a_template_makes_is_not_a_template() -> None:
    names = {"name": "{{ secrets.TOKEN }}", "secrets": {"TOKEN": "hidden-value"}}
    assert compile_template("Hello, {{ name }}!").render(names) == "Hello, {{ secrets.TOKEN }}!"


def test_data_may_be_called_like_an_attribute() -> None:
    names = {"obj": {"__class__": "data", "items": 1}}

    assert evaluate("obj.__class__", names) == "data"
    assert evaluate("obj.items", names) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "'a' * 10 ** 9",
        "'a' * 10 ** 30",
        "10 ** 9 * 'a'",
        "[0] * 10 ** 9",
        "('a' * 10 ** 6) * 10 ** 6",
        "9 ** (9 ** (9 ** 9))",
        "2 ** (10 ** 10)",
        "10 ** 299 * 100",
        "10 ** 300 + 1",
        "range(10 ** 12)|list",
        "range(-(10 ** 18), 10 ** 18)",
        "range(10 ** 6)",
        "range(10 ** 5)|map('string')|join('x' * 10 ** 5)",
        "('a' * 10 ** 5)|replace('a', 'b' * 10 ** 5)",
        "('a' * 10 ** 5)|replace('', 'b' * 10 ** 5)",
        "[[[0] * 1000] * 1000] * 1000",
        "[[[0] * 1000] * 1000] * 1000|length",
        "([[[0] * 1000] * 1000] * 1000)|tojson",
        "([[[0] * 1000] * 1000] * 1000) ~ ''",
        "([[[0] * 100] * 1000] * 1000) == ([[[0] * 100] * 1000] * 1000)",
        "[[[0] * 100] * 1000] * 1000 in [[[[0] * 100] * 1000] * 1000]",
        "([[[0] * 1000] * 1000] * 1000)|unique",
        "range(2 * 10 ** 5)|batch(1)|batch(1)|batch(1)",
        "range(10)|slice(10 ** 8)",
        "[1]|batch(10 ** 8, 0)",
        "range(10 ** 5)|tojson(indent=8)|indent(100)",
        "('\\n' * 10 ** 6)|indent(100)",
        "('a ' * 10 ** 6).split(' ') + ('a ' * 10 ** 6).split(' ')",
        "('a' * 10 ** 6)|list",
        "('[' * 10 ** 5)|fromjson",
        "('1' * 10 ** 5)|fromjson",
        "('1' * 10 ** 5)|int",
        "('\u00df' * 10 ** 6)|upper|upper|upper",
        "('\u00fc' * 10 ** 6)|urlencode",
        "deep|tojson",
        "deep ~ ''",
        "deep == deeper",
        "[deep]",
        "[deep]|unique",
        "huge + 1",
        "huge ~ ''",
        "huge * huge",
        "huge ** huge",
        "huge / 1",
        "1.5 + huge",
        "huge|float",
        "huge|round(2)",
        "[huge]",
        "huge|int",
    ],
)
def test_what_would_grow_without_end_is_refused_at_once(
    expression: str, hostile: dict[str, Any]
) -> None:
    began = time.process_time()

    with pytest.raises(ExpressionError):
        evaluate(expression, hostile)

    assert time.process_time() - began < LONGEST_CPU_SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}",
        "{{ " + "(" * 4_000 + "1" + ")" * 4_000 + " }}",
        "{{ " + "[" * 4_000 + "]" * 4_000 + " }}",
        "{{ " + "{'a':" * 1_500 + "1" + "}" * 1_500 + " }}",
        "{{ " + "not " * 2_000 + "1 }}",
        "{{ " + "-" * 4_000 + "1 }}",
        "{{ 1" + " + 1" * 2_000 + " }}",
        "{{ 1" + " or 1" * 1_500 + " }}",
        "{{ a" + ".b" * 4_000 + " }}",
        "{{ a" + "[0]" * 3_000 + " }}",
        "{{ a" + "|upper" * 1_500 + " }}",
        "{{ a" + "()" * 4_000 + " }}",
        "{{ " + "1 if 1 else " * 800 + "1 }}",
        "{{ '" + "a" * 100_000 + "' }}",
        "{{ " + "1" * 5_000 + " }}",
        "{{ " + "9" * 400 + " }}",
        "{{ 1e400 }}",
        "{{ 1 }}" * 10_000,
        "{{" * 100_000,
        "{{ {" * 50_000,
        "{{ '" * 50_001,
        "{{ " + "'\\" * 500_000,
        "{{ " + "'\\" * 499_999 + "'",
    ],
)
def test_texts_that_are_too_much_for_a_parser_are_refused(text: str) -> None:
    began = time.process_time()

    with pytest.raises(TemplateSyntaxError):
        compile_template(text)

    assert time.process_time() - began < LONGEST_CPU_SECONDS


def test_what_is_only_looked_up_is_free_however_large_it_is() -> None:
    large = {"rows": [[0] * 1_000] * 10_000}

    assert evaluate("data.rows", {"data": large}) is large["rows"]


def test_a_large_result_within_bounds_is_made() -> None:
    assert len(evaluate("range(20000)|map('string')|join(',')", {})) == 108_889
    assert len(json.dumps(evaluate("[[0] * 300] * 300", {}))) > 200_000


def test_the_budget_counts_over_all_expressions_of_a_text() -> None:
    part = "{{ 'a' * 400000 }}"

    assert len(compile_template(part * 2).render({})) == 800_000
    with pytest.raises(BudgetExceeded):
        compile_template(part * 5).render({})
