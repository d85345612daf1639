"""API keys: how they look, how they are made, the hash that is stored of them, and their scopes.

A key is ``fm_live_`` or ``fm_test_`` and 43 characters of base 62 that hold 256 random bits. Only
its SHA-256 is stored: with that much randomness there is nothing to guess, so a slow password hash
would cost every request and protect nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

Environment = Literal["live", "test"]

ENVIRONMENTS: tuple[Environment, ...] = ("live", "test")

Scope = Literal[
    "executions:cancel",
    "executions:read",
    "workflows:execute",
    "workflows:read",
    "workflows:write",
]

SCOPES: tuple[str, ...] = get_args(Scope)
"""Every scope there is, sorted."""

BUNDLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "read-only": frozenset({"executions:read", "workflows:read"}),
        "workflow-executor": frozenset(
            {"executions:cancel", "executions:read", "workflows:execute", "workflows:read"}
        ),
        "full-access": frozenset(SCOPES),
    }
)
"""Names for the sets of scopes that keys usually have."""

KEY_PREFIX_LENGTH = 12
"""How many first characters of a key may be shown: ``fm_live_`` and four of its random ones."""

_RANDOM_BYTES = 32
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARACTERS = 43  # the shortest length at which 62**n reaches 2**256
_KEY = re.compile(rf"fm_(live|test)_[0-9A-Za-z]{{{_RANDOM_CHARACTERS}}}", re.ASCII)


def generate_key(environment: Environment) -> str:
    """Return a new key for *environment*, from the operating system's randomness."""
    number = int.from_bytes(secrets.token_bytes(_RANDOM_BYTES), "big")
    characters = []
    for _ in range(_RANDOM_CHARACTERS):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return f"fm_{environment}_{''.join(reversed(characters))}"


def hash_key(key: str) -> str:
    """Return the SHA-256 of *key* in lower-case hexadecimal: what is stored and looked up."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def key_environment(key: str) -> Environment | None:
    """Return the environment *key* is for, or ``None`` when it does not look like a key at all."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return "live" if match[1] == "live" else "test"


def display_prefix(key: str) -> str:
    """Return the first characters of *key*, by which its owner recognises it in a list."""
    return key[:KEY_PREFIX_LENGTH]


def parse_scopes(scopes: Iterable[str] = (), bundle: str | None = None) -> frozenset[str]:
    """Return the scopes that *scopes* and *bundle* name together.

    Raises:
        ValueError: a scope or bundle that there is none of; the message lists those there are.
    """
    found = frozenset(scope.strip() for scope in scopes if scope.strip())
    if unknown := sorted(found - frozenset(SCOPES)):
        raise ValueError(f"There is no scope {unknown[0]!r}. Scopes: {', '.join(SCOPES)}.")
    if bundle is None:
        return found
    if bundle not in BUNDLES:
        raise ValueError(f"There is no bundle {bundle!r}. Bundles: {', '.join(BUNDLES)}.")
    return found | BUNDLES[bundle]
