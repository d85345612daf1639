"""What is told of settings that cannot be used."""

from __future__ import annotations

from pydantic import ValidationError

PREFIX = "FLOWMAESTRO_"
SECRET_PREFIX = f"{PREFIX}SECRET_"
_SECRET_FIELDS = frozenset({"secrets", "providers", "openai_api_key"})
"""Settings whose value is never repeated in an error."""


class InvalidSettings(ValueError):
    """Settings that cannot be used; ``problems`` has a line for each, which says which it is and
    what is allowed."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def descriptions(error: ValidationError) -> list[str]:
    """Return a line for each setting that is wrong, with its value unless that is a secret."""
    described = [
        _describe([str(part) for part in found["loc"]], found["msg"], found["input"])
        for found in error.errors(include_input=True, include_url=False)
    ]
    return list(dict.fromkeys(described))


def _describe(names: list[str], message: str, value: object) -> str:
    variable = names[0] if names[0].startswith("OPENAI_") else PREFIX + names[0].upper()
    inside = f" ({'.'.join(names[1:])})" if len(names) > 1 else ""
    message = message.removeprefix("Value error, ")
    shown = ""
    if (
        isinstance(value, str | int | float)
        and names[0].lower() not in _SECRET_FIELDS
        and repr(value) not in message
    ):
        shown = f" (it is {value!r})"
    return " ".join(f"{variable}{inside}: {message}{shown}".split())[:500]
