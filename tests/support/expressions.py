"""Expressions over the names ``a``, ``b`` and ``c``, and JSON data for them, as strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from flowmaestro.workflow.expressions.checks import CHECKS
from flowmaestro.workflow.expressions.library import FILTERS, FUNCTIONS, METHODS

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["1", "-2.5", "a,b", "[1]", "true", "\n", "ß", "{{", "\ud800"])
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["a", "b", "0", "items"]) | st.text(), inner, max_size=5)
    ),
    max_leaves=25,
)
WORDS = "a b c a.a a.b[0] b[1] c['a'] c.items [] {} '' 'x' 'a,b' 0 1 -1 2.5 1e300 300 none true"
ATOMS = st.sampled_from(WORDS.split())
SYMBOLS = "+ - * / // % ** ~ == != < <= > >= in and or"
OPERATORS = SYMBOLS.split()


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("({}|{})".format, inner, st.sampled_from(sorted(FILTERS))),
        st.builds("({}|{}({}))".format, inner, st.sampled_from(sorted(FILTERS)), several),
        st.builds("({}|map('{}'))".format, inner, st.sampled_from(sorted(FILTERS))),
        st.builds("({}|map(attribute={}))".format, inner, inner),
        st.builds("({}|select('{}', {}))".format, inner, st.sampled_from(sorted(CHECKS)), inner),
        st.builds("({}|selectattr('a', '{}'))".format, inner, st.sampled_from(sorted(CHECKS))),
        st.builds("({}|default({}))".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), several),
        st.builds("({}).{}({})".format, inner, st.sampled_from(sorted(METHODS)), several),
        st.builds("({} is {})".format, inner, st.sampled_from(sorted(CHECKS))),
        st.builds("({} is defined)".format, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:{}:{}]".format, inner, inner, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}]".format, several),
        st.builds("{{'k': {}}}".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} not in {})".format, inner, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, _combined, max_leaves=8)
