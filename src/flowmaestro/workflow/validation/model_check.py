"""Checks a part of a document with its pydantic model and says what is wrong in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flowmaestro.workflow.problems import Path, Problems, shorten, type_name
from flowmaestro.workflow.validation.normalisation import field_name

_LONGEST_MESSAGE = 400
_NOTHING = object()
_OWN_CHECKS = ("value_error", "assertion_error")


def check_model(
    value: dict[str, Any],
    model: type[BaseModel],
    path: Path,
    problems: Problems,
    *,
    rendered_later: Callable[[Any, bool], bool] | None = None,
) -> None:
    """Add a problem for each error that *model* finds in *value*, a JSON object.

    *rendered_later* is asked of each value that an error is about, and of each around it, whether
    it is known only at run time; the second argument says that any value inside counts too. What a
    model's own validators raise beyond pydantic's errors is a problem as well: they are the code
    of node types, which anyone may write.
    """
    try:
        model.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            _report(detail, value, model, path, problems, rendered_later)
    except Exception as error:
        problems.add(
            path,
            "invalid_value",
            f"The values could not be checked ({type(error).__name__}): {_cut(str(error))}",
        )


def check_length(value: object, most: int, path: Path, problems: Problems) -> None:
    """Add a problem for a text of more than *most* characters; *path* ends with its field."""
    if isinstance(value, str) and len(value) > most:
        problems.add(path, "limit", f"'{path[-1]}' has at most {most:,} characters.")


def _report(
    detail: ErrorDetails,
    value: dict[str, Any],
    model: type[BaseModel],
    path: Path,
    problems: Problems,
    rendered_later: Callable[[Any, bool], bool] | None,
) -> None:
    missing = detail["type"] == "missing"
    location = list(detail["loc"])
    if location and isinstance(location[0], str):
        location[0] = field_name(model, location[0])
    found: Any = value
    place: list[str | int] = []
    for step in location:
        inner = _step_into(found, step)
        # What does not lead into the value names a branch of a union, or what is missing.
        if inner is _NOTHING:
            continue
        found = inner
        place.append(step)
        if rendered_later is not None and rendered_later(found, False):
            return
    own_check = detail["type"] in _OWN_CHECKS
    if rendered_later is not None and own_check and place and rendered_later(found, True):
        return
    if missing and location:
        name = str(location[-1])
        others = [key for key in found if key not in model.model_fields] if place == [] else []
        near = problems.closest(name, others)
        hint = f" There is '{near}': is it meant?" if near is not None else ""
        message = f"'{shorten(name)}' is required.{hint}"
        problems.add((*path, *place, location[-1]), "missing", message)
        return
    subject = f"'{shorten(str(place[-1]))}'" if place and isinstance(place[-1], str) else "It"
    code = "invalid_type" if detail["type"].endswith("_type") else "invalid_value"
    problems.add((*path, *place), code, _sentence(subject, detail, found))


def _step_into(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step, _NOTHING)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _NOTHING


def _sentence(subject: str, detail: ErrorDetails, found: Any) -> str:
    message = detail["msg"]
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    if message.startswith("Input should"):
        message = f"{subject} {message.removeprefix('Input ')}"
        if detail["type"].endswith(("_type", "_parsing")):
            message += f", not {type_name(found)}"
    elif message.startswith(("must ", "should ", "has ", "needs ")):
        message = f"{subject} {message}"
    message = _cut(message)
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "…", "?")) else ".")


def _cut(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
