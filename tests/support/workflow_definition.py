"""A small catalog of node types, and definitions over it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

from flowmaestro.workflow.catalog import Catalog, NodeTypeSpec
from flowmaestro.workflow.problems import InvalidDefinition, Problem
from flowmaestro.workflow.validation import validate


class Config(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
    )
    output_variable: str | None = None


class Header(Config):
    header_name: str
    header_value: Any = None


class FetchConfig(Config):
    url: str
    method: str = "GET"
    timeout_ms: int | None = None
    header_list: list[Header] | None = None
    body: Any = None

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not url.startswith("http"):
            raise ValueError("must begin with http")
        return url


class ValueConfig(Config):
    value: Any


class ChooseConfig(Config):
    expression: Any


class LoopConfig(Config):
    items: list[Any]
    body: dict[str, Any]
    max_concurrency: int = 1


class CallConfig(Config):
    workflow_id: str
    inputs: dict[str, Any] = {}


class InputConfig(Config):
    input_name: str
    input_type: str = "string"
    required: bool = True
    default_value: Any = None


class BrokenConfig(BaseModel):
    """A node type whose author's check raises what it should not."""

    value: Any

    @field_validator("value")
    @classmethod
    def _fail(cls, value: Any) -> Any:
        raise KeyError("a bug of the author's")


def _broken_handles(config: Mapping[str, Any]) -> tuple[str, ...]:
    raise KeyError("a bug of the author's")


def make_catalog() -> Catalog:
    specs = [
        NodeTypeSpec("fetch", FetchConfig),
        NodeTypeSpec("value", ValueConfig),
        NodeTypeSpec(
            "choose",
            ChooseConfig,
            handles=lambda config: ("true", "false"),
            expression_fields=("expression",),
        ),
        NodeTypeSpec("ways", ValueConfig, handles=lambda config: tuple(map(str, config["value"]))),
        NodeTypeSpec("loop", LoopConfig, container="loop", allows_secrets=False),
        NodeTypeSpec("workflow", CallConfig, container="workflow", allows_secrets=False),
        NodeTypeSpec("input", InputConfig, literal_fields=("input_name",)),
        NodeTypeSpec("broken", BrokenConfig, handles=_broken_handles),
    ]
    return {spec.name: spec for spec in specs}


def value_node(value: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"type": "value", "config": {"value": value}, **fields}


def chain(*node_ids: str) -> list[dict[str, Any]]:
    return [{"source": source, "target": target} for source, target in pairwise(node_ids)]


def workflow(nodes: Any, edges: Any = None, **fields: Any) -> dict[str, Any]:
    return {"name": "test", "nodes": nodes, "edges": [] if edges is None else edges, **fields}


def problems_of(document: object, **options: Any) -> list[Problem]:
    try:
        validate(document, make_catalog(), **options)
    except InvalidDefinition as error:
        return list(error.problems)
    return []


def found(document: object, **options: Any) -> list[tuple[str, str]]:
    """What is wrong with *document*, as (path, code) in the order reported."""
    return [(problem.path, problem.code) for problem in problems_of(document, **options)]
