"""``switch``: takes one of several ways by a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flowmaestro.nodes.comparison import equal, loosely_equal
from flowmaestro.nodes.config import NodeConfig, as_text
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.results import Routed
from flowmaestro.workflow.catalog import NodeTypeSpec

DEFAULT_HANDLE = "default"


class Case(BaseModel):
    """One case of a `switch`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: Any = Field(description="The value that takes this way.")
    handle: str | None = Field(
        default=None, min_length=1, description="The way's name; the value as text by default."
    )
    label: str | None = Field(default=None, description="What people read.")


class SwitchConfig(NodeConfig):
    """Takes the way of the first case that equals a value, or the way `default`."""

    value: Any = Field(description="The value that decides.")
    cases: list[Case] = Field(
        min_length=1,
        max_length=200,
        description="The cases in order: objects with `value` and `handle`, or values alone, "
        "which are their own handles. Text equals a number or boolean that is written the same.",
    )

    @field_validator("cases", mode="before")
    @classmethod
    def _shorthand(cls, cases: Any) -> Any:
        if not isinstance(cases, list):
            return cases
        return [case if isinstance(case, dict) else {"value": case} for case in cases]

    @field_validator("cases")
    @classmethod
    def _each_value_once(cls, cases: list[Case]) -> list[Case]:
        for index, case in enumerate(cases):
            if any(equal(case.value, earlier.value) for earlier in cases[:index]):
                raise ValueError(f"two cases have the value {as_text(case.value)}")
        return cases


def run(config: SwitchConfig, context: NodeContext) -> Routed:  # noqa: ARG001
    """Return the way to take; ``case`` in the outputs is its handle, ``null`` for the default."""
    for case in config.cases:
        if loosely_equal(config.value, case.value):
            handle = case.handle or as_text(case.value)
            return Routed(handle, {"value": config.value, "case": handle})
    return Routed(DEFAULT_HANDLE, {"value": config.value, "case": None})


def handles(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the handles of a raw config, whatever its shape."""
    cases = config.get("cases")
    found: dict[str, None] = {}
    for case in cases if isinstance(cases, list) else []:
        handle = case.get("handle") if isinstance(case, dict) else None
        if handle is None:
            handle = as_text(case.get("value") if isinstance(case, dict) else case)
        if isinstance(handle, str):
            found[handle] = None
    return (*found, DEFAULT_HANDLE) if DEFAULT_HANDLE not in found else tuple(found)


SWITCH = NodeType(
    NodeTypeSpec(
        name="switch",
        config_model=SwitchConfig,
        handles=handles,
        description="Takes the way of the first case that equals a value, or the way `default`.",
    ),
    run,
    inline=True,
)
