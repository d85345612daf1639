"""camelCase keys to snake_case, at every level that has a model, and nowhere else: what a model
takes as data (headers, a body, an item) belongs to the author."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flowmaestro.workflow.definition import DefinitionPart
from flowmaestro.workflow.problems import Path, Problems, shorten


def normalise(
    value: dict[str, Any],
    model: type[BaseModel],
    path: Path,
    problems: Problems,
    *,
    only_model: bool = True,
) -> dict[str, Any]:
    """Return *value* with the keys that *model* knows in snake_case, in the same order, and so on
    down through the models of its fields. A key and its twin together are a problem, and so is one
    that is nearly the name of a field: it would be kept, and nothing would come of it.

    In a part of the definition itself, ``null`` for a field that has another default is left out.
    Without *only_model* the value may be something else too, so that any key may be meant.
    """
    names = _twins(model)
    unknown: list[str] = []
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
            unknown.append(key)
        elif item is None and issubclass(model, DefinitionPart) and _has_other_default(field):
            continue
        else:
            result[name] = _inner(item, field.annotation, (*path, name), problems)
    if unknown and only_model and _ignores_unknown_keys(model):
        given = {names.get(key, key) for key in value}
        _check_spelling(unknown, given, model, path, problems)
    return result


def field_name(model: type[BaseModel], key: str) -> str:
    """Return the snake_case name of the field that *model* knows *key* as, else *key*."""
    return _twins(model).get(key, key)


def _inner(value: Any, annotation: Any, path: Path, problems: Problems) -> Any:
    if isinstance(value, dict):
        parts = _alternatives(annotation)
        only_model = sum(map(_takes_objects, parts)) == 1
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                value = normalise(value, part, path, problems, only_model=only_model)
    elif isinstance(value, list):
        for part in _alternatives(annotation):
            inner = get_args(part)
            if inner and get_origin(part) in (list, tuple, set, frozenset):
                value = [
                    _inner(item, inner[0], (*path, index), problems)
                    for index, item in enumerate(value)
                ]
    return value


def _takes_objects(part: Any) -> bool:
    origin = get_origin(part) or part
    return not isinstance(origin, type) or issubclass(origin, (BaseModel, Mapping))


def _ignores_unknown_keys(model: type[BaseModel]) -> bool:
    extra = model.model_config.get("extra")
    return issubclass(model, DefinitionPart) or extra in (None, "ignore")


def _check_spelling(
    unknown: Sequence[str],
    given: Collection[str],
    model: type[BaseModel],
    path: Path,
    problems: Problems,
) -> None:
    """Add a problem for each of the *unknown* keys that is nearly an optional field that is not
    *given*. A required one that is not given is a problem of its own, which names the key that may
    be meant."""
    missing = [
        name
        for name, field in model.model_fields.items()
        if name not in given and not field.is_required()
    ]
    for key in unknown:
        meant = problems.misspelt(key, missing)
        if meant is not None:
            message = f"There is no field '{shorten(key)}'. Did you mean '{meant}'?"
            problems.add((*path, key), "unknown_field", message)


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
