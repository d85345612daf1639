"""``conditional``: takes the way ``true`` or the way ``false``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic.alias_generators import to_snake

from flowmaestro.nodes.comparison import WORDS, compare, is_true
from flowmaestro.nodes.config import NodeConfig
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Routed
from flowmaestro.workflow.catalog import NodeTypeSpec

_LONGEST_OPERATOR = 100


def _canonical(name: Any) -> Any:
    """Return an operator's own name for a word or a camelCase twin of it."""
    # A long one is no operator, and `to_snake` would take hours over it.
    if not isinstance(name, str) or len(name) > _LONGEST_OPERATOR:
        return name
    word = to_snake(name.strip()) if name.strip().isidentifier() else name.strip()
    return WORDS.get(word, word)


Operator = Annotated[
    Literal[
        "==", "!=", ">", ">=", "<", "<=", "contains", "not_contains", "in", "not_in",
        "starts_with", "ends_with", "is_empty", "is_not_empty",
    ],
    BeforeValidator(_canonical),
]  # fmt: skip


class ConditionalConfig(NodeConfig):
    """Takes the way `true` or the way `false`: by an expression, or by comparing two values."""

    expression: Any = Field(
        default=None,
        description="What decides, with or without `{{ }}`: `score > 3`. False are `false`, "
        '`null`, 0, and empty text, lists and objects, and the text `"false"`.',
    )
    left_value: Any = Field(default=None, description="The value to compare.")
    operator: Operator | None = Field(
        default=None,
        description="How to compare. Words do as well: `equals`, `not_equals`, `greater_than`, "
        "`greater_than_or_equal`, `less_than`, `less_than_or_equal`.",
    )
    right_value: Any = Field(
        default=None,
        description="The value to compare with; not needed for `is_empty` and `is_not_empty`.",
    )

    @model_validator(mode="after")
    def _one_way_to_decide(self) -> Self:
        has_expression = "expression" in self.model_fields_set
        if has_expression and self.operator is not None:
            raise ValueError("give either `expression` or `operator`, not both")
        if not has_expression and self.operator is None:
            raise ValueError("give an `expression`, or `left_value`, `operator` and `right_value`")
        if self.operator is not None and "left_value" not in self.model_fields_set:
            raise ValueError("`operator` needs a `left_value`")
        return self


def run(config: ConditionalConfig, context: NodeContext) -> Routed:
    """Return the way to take.

    :raises NodeError: ``invalid_comparison``, if the two values cannot be compared.
    :raises ExpressionError: if the expression has no value.
    """
    if config.operator is not None:
        result = compare(config.operator, config.left_value, config.right_value)
    elif isinstance(config.expression, str):
        result = is_true(context.evaluate(config.expression))
    else:
        result = is_true(config.expression)
    return Routed("true" if result else "false", {"result": result})


CONDITIONAL = NodeType(
    NodeTypeSpec(
        name="conditional",
        config_model=ConditionalConfig,
        handles=lambda config: ("true", "false"),  # noqa: ARG005
        expression_fields=("expression",),
        description="Takes the way `true` or the way `false`.",
    ),
    run,
    inline=True,
    # Were it rendered before, a text among the data would be evaluated as an expression.
    raw_fields=frozenset({"expression"}),
)
