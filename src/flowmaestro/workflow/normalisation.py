"""camelCase keys to snake_case, at every level that has a model, and nowhere else: what a model
takes as data (headers, a body, an item) belongs to the author."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flowmaestro.workflow.definition import DefinitionPart
from flowmaestro.workflow.problems import Path, Problems


def normalise(
    value: dict[str, Any], model: type[BaseModel], path: Path, problems: Problems
) -> dict[str, Any]:
    """Return *value* with the keys that *model* knows in snake_case, in the same order, and so on
    down through the models of its fields. A key and its twin together are a problem.

    In a part of the definition itself, ``null`` for a field that has another default is left out.
    """
    names = _twins(model)
    result: dict[str, Any] = {}
    for key, item in value.items():
        name = names.get(key, key)
        if name != key and name in value:
            problems.add(
                (*path, key), "duplicate", f"'{key}' and '{name}' are the same field: give one."
            )
            continue
        field = model.model_fields.get(name)
        if field is None:
            result[name] = item
        elif item is None and issubclass(model, DefinitionPart) and _has_other_default(field):
            continue
        else:
            result[name] = _inner(item, field.annotation, (*path, name), problems)
    return result


def field_name(model: type[BaseModel], key: str) -> str:
    """Return the snake_case name of the field that *model* knows *key* as, else *key*."""
    return _twins(model).get(key, key)


def _inner(value: Any, annotation: Any, path: Path, problems: Problems) -> Any:
    if isinstance(value, dict):
        for part in _alternatives(annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                value = normalise(value, part, path, problems)
    elif isinstance(value, list):
        for part in _alternatives(annotation):
            inner = get_args(part)
            if inner and get_origin(part) in (list, tuple, set, frozenset):
                value = [
                    _inner(item, inner[0], (*path, index), problems)
                    for index, item in enumerate(value)
                ]
    return value


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the types that *annotation* stands for: those of a union, that of ``Annotated``."""
    arguments = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _alternatives(arguments[0])
    origin = get_origin(annotation)
    if origin is Union or (origin is not None and getattr(origin, "__name__", "") == "UnionType"):
        return tuple(part for argument in arguments for part in _alternatives(argument))
    return (annotation,)


def _has_other_default(field: FieldInfo) -> bool:
    return field.default_factory is not None or field.default not in (None, PydanticUndefined)


@lru_cache(maxsize=512)
def _twins(model: type[BaseModel]) -> dict[str, str]:
    """Return the other spellings of *model*'s fields, each with the field's name."""
    config = model.model_config
    by_name = bool(config.get("validate_by_name") or config.get("populate_by_name"))
    twins: dict[str, str] = {}
    for name, field in model.model_fields.items():
        if field.validation_alias is None and field.alias is None:
            twins[to_camel(name)] = name
        elif by_name:
            alias = field.validation_alias or field.alias
            spellings = (
                alias.choices if isinstance(alias, AliasChoices) else [alias, to_camel(name)]
            )
            twins |= {spelling: name for spelling in spellings if isinstance(spelling, str)}
    return {twin: name for twin, name in twins.items() if twin not in model.model_fields}
