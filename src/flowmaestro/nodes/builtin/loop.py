"""``loop``: runs a nested definition once for each item of a list."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from flowmaestro.nodes.config import NodeConfig, json_type
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Expanded
from flowmaestro.workflow.catalog import BODY, NodeTypeSpec

MAX_ITEMS = 10_000


def _identifier(name: str) -> str:
    if not name.isidentifier():
        raise ValueError("must be a name that expressions can use: letters, digits and `_`")
    return name


VariableName = Annotated[str, AfterValidator(_identifier)]


class LoopConfig(NodeConfig):
    """Runs a nested definition once for each item of a list; its outputs are `results`, in the
    items' order."""

    items: list[Any] = Field(
        description=f"The list to go through, or an expression that gives one. At most {MAX_ITEMS}."
    )
    body: dict[str, Any] = Field(
        description="The nested definition: `nodes` and `edges`. It sees the names outside too."
    )
    item_variable: VariableName = Field(
        default="item", description="The name of the item inside the body."
    )
    index_variable: VariableName = Field(
        default="index", description="The name of the item's place, from 0, inside the body."
    )
    max_concurrency: int = Field(
        default=1, ge=1, le=1_000, description="How many items are worked on at once."
    )

    @field_validator("items", mode="before")
    @classmethod
    def _bounded_list(cls, items: Any) -> Any:
        if not isinstance(items, list):
            raise ValueError(f"must be a list, not {json_type(items)}")  # noqa: TRY004
        if len(items) > MAX_ITEMS:
            raise ValueError(f"has {len(items)} items, and a loop goes through at most {MAX_ITEMS}")
        return items

    @model_validator(mode="after")
    def _two_names(self) -> Self:
        if self.item_variable == self.index_variable:
            raise ValueError("`item_variable` and `index_variable` must differ")
        return self


def run(config: LoopConfig, context: NodeContext) -> Expanded:  # noqa: ARG001
    """Return one scope for each item."""
    return Expanded(
        [
            {config.item_variable: item, config.index_variable: index}
            for index, item in enumerate(config.items)
        ]
    )


LOOP = NodeType(
    NodeTypeSpec(
        name="loop",
        config_model=LoopConfig,
        container="loop",
        allows_secrets=False,
        description="Runs a nested definition once for each item of a list.",
        literal_fields=("item_variable", "index_variable", "max_concurrency"),
    ),
    run,
    inline=True,
    raw_fields=frozenset({BODY}),
)
