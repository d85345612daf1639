"""Templates: what is text, what is an expression, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmaestro.workflow.expressions import (
    BudgetExceeded,
    ExpressionError,
    TemplateSyntaxError,
    UndefinedName,
    compile_bare,
    compile_template,
    compile_value,
    evaluate,
)
from flowmaestro.workflow.limits import RenderLimits

NAMES: dict[str, Any] = {
    "user": {"name": "Ada", "tags": ["x", "y"], "age": 36, "none": None},
    "on": True,
    "half": 0.5,
}


def render(text: str, names: Mapping[str, Any] = NAMES) -> Any:
    return compile_template(text).render(names)


class TestText:
    @pytest.mark.parametrize(
        "text", ["", "plain", "{ } }} %} #}", "a\r\nb\n", "  \n", "$ {a}", "{", "tail {"]
    )
    def test_text_without_expressions_is_itself(self, text: str) -> None:
        assert render(text) == text

    @pytest.mark.parametrize(
        ("text", "result"),
        [
            ("{{ user.age }}", 36),
            ("{{user.tags}}", ["x", "y"]),
            ("{{ on }}", True),
            ("{{ user.none }}", None),
            ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
            ("{{ '}}' }}", "}}"),
            ("{{ '{{' }}", "{{"),
            ("{{- user.age -}}", 36),
            ("{# why #}{{ user.age }}", 36),
        ],
    )
    def test_one_whole_expression_keeps_its_type(self, text: str, result: Any) -> None:
        value = render(text)

        assert value == result
        assert type(value) is type(result)

    @pytest.mark.parametrize(
        ("text", "result"),
        [
            ("{{ user.age }} ", "36 "),
            ("{{ user.age }}{{ half }}", "360.5"),
            ("<{{ user.none }}>", "<>"),
            ("<{{ on }}>", "<true>"),
            ("<{{ user.tags }}>", '<["x", "y"]>'),
            ("<{{ {'ä': none} }}>", '<{"ä": null}>'),
            ("<{{ 1.0 }} {{ 10 ** 20 }}>", "<1.0 100000000000000000000>"),
            ("a  {{- 1 -}}  b", "a1b"),
            ("a {# {{ not.this }} #} b", "a  b"),
            ("{{ 1 }}\r\n", "1\r\n"),
            ("{{\n  1\n}}\n", "1\n"),
        ],
    )
    def test_everything_else_is_text(self, text: str, result: str) -> None:
        assert render(text) == result


class TestSyntaxErrors:
    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("{{ }}", "is empty"),
            ("{{ a", "not closed by '}}'"),
            ("{{ 'a }}", "not closed"),
            ("{# a", "not closed by '#}'"),
            ("{% if a %}b{% endif %}", "Blocks"),
            ("{{ a b }}", "unexpected 'b'"),
            ("{{ a, b }}", "unexpected ','"),
            ("{{ a + }}", "does not parse"),
            ("{{ a | nope }}", "no filter 'nope'"),
            ("{{ a | uper }}", "did you mean 'upper'?"),
            ("{{ a is nope }}", "no test 'nope'"),
            ("{{ nope(1) }}", "no function 'nope'"),
            ("{{ a.nope() }}", "no method 'nope'"),
            ("{{ a[0]() }}", "Only functions and methods are called"),
            ("{{ a | replace('x') }}", "The filter 'replace' takes old, new, count."),
            ("{{ a | upper(1) }}", "takes no arguments"),
            ("{{ a | default(1, true, 3) }}", "default_value, boolean"),
            ("{{ a | map }}", "attribute='field'"),
            ("{{ a | select(b) }}", "needs a test's name"),
            ("{{ a | selectattr }}", "takes a field"),
            ("{{ a | join(*b) }}", "not allowed"),
            ("{{ a | join(d=1, d=2) }}", "given twice"),
            ("{{ range() }}", "takes start, stop, step"),
            ("{{ a | random }}", "no filter 'random'"),
            ("{{ 1e999 }}", "too large"),
            ("{{ '\\ud800' }}", "surrogate"),
        ],
    )
    def test_they_say_what_is_wrong(self, text: str, part: str) -> None:
        with pytest.raises(TemplateSyntaxError) as caught:
            compile_template(text)

        assert part in caught.value.message

    def test_they_say_where(self) -> None:
        with pytest.raises(TemplateSyntaxError) as caught:
            compile_template("one {{ 1 }}\n  two {{ a + }} three")

        assert (caught.value.line, caught.value.column) == (2, 7)
        assert caught.value.expression == "a +"


class TestUndefined:
    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            ("usr", "'usr' is not defined; did you mean 'user'?"),
            ("zzz", "'zzz' is not defined."),
            ("user.nmae", "'user' has no field 'nmae'; did you mean 'name'?"),
            ("user.Name", "'user' has no field 'Name'; did you mean 'name'?"),
            ("user.none.x", "'user.none' is null and has no field 'x'."),
            ("user.age.x", "'user.age' is an integer and has no field 'x'."),
            ("user.tags[2]", "'user.tags' has 2 elements and no index 2."),
            ("user['tags'].first", "'user['tags']' is a list and has no field 'first'."),
            ("[]|first", "'first' has no elements to choose from."),
        ],
    )
    def test_the_error_names_what_is_missing(self, expression: str, message: str) -> None:
        with pytest.raises(UndefinedName) as caught:
            evaluate(expression, NAMES)

        assert caught.value.message == message

    @pytest.mark.parametrize(
        ("expression", "result"),
        [
            ("zzz | default('d')", "d"),
            ("zzz.a.b | default('d')", "d"),
            ("user.none.x | d(1)", 1),
            ("user.tags[9] | default(zzz | default(3))", 3),
            ("user.none | default(1)", None),
            ("user.none | default(1, true)", 1),
            ("user.none | default(default_value=1, boolean=true)", 1),
            ("zzz | default", ""),
            ("zzz is defined", False),
            ("zzz is not defined", True),
            ("user.tags[1] is defined", True),
            ("user.nope is undefined", True),
            ("1 if user.nope is defined else 2", 2),
        ],
    )
    def test_one_may_ask(self, expression: str, result: Any) -> None:
        assert evaluate(expression, NAMES) == result


class TestNames:
    def test_only_the_names_that_are_used_are_looked_up(self) -> None:
        asked = []

        class Lazy(Mapping[str, Any]):
            def __getitem__(self, name: str) -> Any:
                asked.append(name)
                return {"used": {"x": 1}}[name]

            def __iter__(self) -> Iterator[str]:
                raise AssertionError("not asked for")

            def __len__(self) -> int:
                raise AssertionError("not asked for")

        assert compile_template("{{ used.x }} {{ 1 or unused }}").render(Lazy()) == "1 1"
        assert asked == ["used"]

    def test_a_root_may_be_a_mapping_that_looks_up(self) -> None:
        class Nodes(Mapping[str, Any]):
            def __getitem__(self, name: str) -> Any:
                return {"a": {"x": [1]}}[name]

            def __iter__(self) -> Iterator[str]:
                return iter(["a"])

            def __len__(self) -> int:
                return 1

        names = {"nodes": Nodes()}

        assert evaluate("nodes['a'].x[0]", names) == 1
        assert evaluate("nodes[key]", {**names, "key": "a"}) == {"x": [1]}
        assert evaluate("nodes", names) == {"a": {"x": [1]}}
        assert evaluate("'a' in nodes and nodes|length", names) == 1
        with pytest.raises(UndefinedName, match="did you mean 'a'"):
            evaluate("nodes.A", names)

    def test_what_is_looked_up_is_known_beforehand(self) -> None:
        template = compile_template(
            "{{ a.b }} {{ nodes['any-id'].x }} {{ secrets.KEY }}{{ secrets[n] }} {{ range(2) }}"
        )

        assert template.names == {"a", "nodes", "secrets", "n"}
        assert ("nodes", "any-id") in template.members
        assert template.secrets == {"KEY"}
        assert template.uses_secrets
        assert ("secrets", None) in template.members

    def test_text_uses_nothing(self) -> None:
        template = compile_template("plain")

        assert (template.names, template.uses_secrets, template.is_expression) == (
            frozenset(),
            False,
            False,
        )


class TestValues:
    def test_every_text_is_rendered_and_fields_are_not(self) -> None:
        value = {"{{ on }}": ["{{ user.age }}", {"x": "a{{ half }}"}], "n": 1, "t": "text"}

        compiled = compile_value(value)

        assert compiled.render(NAMES) == {"{{ on }}": [36, {"x": "a0.5"}], "n": 1, "t": "text"}
        assert compiled.names == {"user", "half"}
        assert not compiled.is_constant

    def test_a_value_without_templates_is_not_copied(self) -> None:
        value = {"a": [1, "x", None]}
        compiled = compile_value(value)

        assert compiled.is_constant
        assert compiled.render({}) is value

    def test_a_value_shares_one_budget(self) -> None:
        compiled = compile_value(["{{ 'a' * 60 }}", "{{ 'a' * 60 }}"])

        assert compiled.render({}, RenderLimits(max_size=200)) == ["a" * 60] * 2
        with pytest.raises(BudgetExceeded):
            compiled.render({}, RenderLimits(max_size=100))

    def test_the_data_is_not_changed(self) -> None:
        names = {"a": [3, 1, 2], "o": {"b": 1}}
        compile_value(
            ["{{ a|sort }}", "{{ a|reverse }}", "{{ a + [1] }}", "{{ o.items() }}"]
        ).render(names)

        assert names == {"a": [3, 1, 2], "o": {"b": 1}}


class TestBareExpressions:
    @pytest.mark.parametrize(
        "text", ["user.age > 30", "{{ user.age > 30 }}", " {{user.age > 30}} "]
    )
    def test_with_or_without_braces(self, text: str) -> None:
        assert evaluate(text, NAMES) is True

    def test_an_object_is_not_mistaken_for_braces(self) -> None:
        assert evaluate("{'a': 1}", {}) == {"a": 1}

    @pytest.mark.parametrize(
        "text", ["{{ half }} > {{ on }}", "{{ half }} ", "x {{ half }}", "{{ half }}{{ on }}", ""]
    )
    def test_a_text_with_expressions_is_none(self, text: str) -> None:
        if text == "{{ half }} ":
            assert evaluate(text, NAMES) == 0.5
        else:
            with pytest.raises(TemplateSyntaxError):
                compile_bare(text)


def test_errors_say_in_which_expression() -> None:
    with pytest.raises(ExpressionError) as caught:
        render("total: {{ user.name + 1 }}")

    assert caught.value.expression == "{{ user.name + 1 }}"
    assert str(caught.value) == (
        "'+' does not work between text and an integer. Use '~' to join values as text. "
        "(in {{ user.name + 1 }})"
    )


def test_errors_do_not_tell_values() -> None:
    names = {"secrets": {"KEY": "hunter2"}}

    for expression in [
        "secrets.KEY|int",
        "secrets.KEY + 1",
        "secrets.KEY.x",
        "secrets.KEY|fromjson",
    ]:
        with pytest.raises(ExpressionError) as caught:
            evaluate(expression, names)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("a +", "it ends too early"),
        ("(a", "it ends where ')' is expected"),
        ("a | ", "it ends where a name is expected"),
        ("a is 5", "a number stands where a name is expected"),
        ("{'a' b}", "'b' stands where ':' is expected"),
        ("a + )", "unexpected ')'"),
        ("a b", "unexpected 'b'"),
        ("a.", "a name or a number follows a '.'"),
        ("a ? b", "'?' has no meaning here"),
        ("'abc", "a text is not closed: its second ' is missing"),
        (r"'\x'", r"a '\' in a text begins no known escape"),
        ("round(ndigits=1, 2)", "arguments with a name come last"),
        ("a is odd is even", "one 'is' follows another: use 'and'"),
    ],
)
def test_what_does_not_parse_is_told_in_our_words(expression: str, reason: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_bare(expression)

    assert caught.value.message == f"The expression does not parse: {reason}."


@given(st.text(alphabet="ab.|()[]{}'\"+-*/%=<>!~,:; 01\\", min_size=1, max_size=12))
def test_the_parsers_own_words_do_not_reach_an_author(expression: str) -> None:
    message = ""
    try:
        compile_bare(expression)
    except TemplateSyntaxError as error:
        message = error.message
    words = ("token", "template", "print statement", "begin of", "end of", "Jinja")
    assert not [word for word in words if word in message]


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("{{ a.x + b }}", {"a", "b"}),
        ("{{ a.x | default(b) }}", {"b"}),
        ("{{ (a.x + c) | d(1) }}", set()),
        ("{{ a if a is defined else b }}", {"b"}),
        ("{{ a is undefined }}", set()),
        ("{{ a | default(1) }} {{ a }}", {"a"}),
        ("{{ a | map(attribute='x', default=b) }}", {"a", "b"}),
        ("plain", set()),
    ],
)
def test_names_that_must_be_there_are_known(text: str, required: set[str]) -> None:
    assert compile_template(text).required_names == required
