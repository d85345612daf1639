"""Expressions: ``{{ … }}`` in a node's config, over JSON data, within a budget.

::

    templates        text and JSON values with expressions in them; the way in
    syntax           text → syntax tree
    parse_messages   why there is none, in our words
    compiler         syntax tree → closures
    lookups          names, fields, indexes
    operators        arithmetic, comparison, concatenation
    library          the filters, functions and methods there are
    checks           the tests there are
    run              one rendering: its names and its budget
    errors           what can go wrong

The syntax is Jinja's, read by Jinja's parser. The evaluation is ours: over JSON values only, with
no way to a Python attribute, and with every visit and every growth charged before it happens,
since workflows are written by people who may not own the server.
"""

from flowmaestro.workflow.expressions.errors import (
    BudgetExceeded,
    ExpressionError,
    TemplateSyntaxError,
    UndefinedName,
)
from flowmaestro.workflow.expressions.templates import (
    CompiledValue,
    Template,
    compile_bare,
    compile_template,
    compile_value,
    evaluate,
    has_template,
)

__all__ = [
    "BudgetExceeded",
    "CompiledValue",
    "ExpressionError",
    "Template",
    "TemplateSyntaxError",
    "UndefinedName",
    "compile_bare",
    "compile_template",
    "compile_value",
    "evaluate",
    "has_template",
]
