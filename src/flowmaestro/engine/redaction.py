"""Keeping the operator's secrets out of what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

REDACTED = "***"


def spellings(secrets: Iterable[str]) -> list[str]:
    """Return the ways in which *secrets* stand in texts: as they are, and between the quotes of
    JSON and of Python. The longest come first: one may be a part of another."""
    found: set[str] = set()
    for secret in secrets:
        found.add(secret)
        found.add(repr(secret)[1:-1])
        found.update(json.dumps(secret, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False))
    return sorted(found - {""}, key=lambda text: (-len(text), text))


class Redactor:
    """Replaces every secret, wherever it stands in a text, by ``***``.

    :param secrets: the secret values; long ones, or ordinary texts suffer. Empty ones are none.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = spellings(secrets)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def text(self, text: str) -> str:
        """Return *text* without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text

    def shortened(self, text: str, limit: int) -> str:
        """Return no more than *limit* characters of *text*, without secrets: cut first, one that
        lies across the cut would not be found, and half of it would stay."""
        text = self.text(text)
        return text if len(text) <= limit else text[:limit] + "…"

    def value(self, value: Any) -> Any:
        """Return a JSON value with no secret in any text or key."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return value
