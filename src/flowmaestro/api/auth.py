"""Who calls: API keys, their scopes, and the workspace they open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import Headers
from starlette.requests import Request

from flowmaestro.api.errors import ApiError
from flowmaestro.api.keys import hash_key, key_environment
from flowmaestro.api.middleware.request import KEY_ID_KEY, RESPONSE_HEADERS_KEY
from flowmaestro.api.services import services_of
from flowmaestro.storage import ApiKey

_CHALLENGE = 'Bearer realm="flowmaestro"'


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with; everything it may see is in its workspace."""

    key: ApiKey

    @property
    def workspace(self) -> str:
        return self.key.workspace

    def require(self, *scopes: str) -> None:
        """Raise ``insufficient_scope``, naming what is missing, unless the key has all *scopes*."""
        missing = [scope for scope in scopes if scope not in self.key.scopes]
        if missing:
            named = " and ".join(repr(scope) for scope in missing)
            raise ApiError(
                "insufficient_scope",
                f"This key lacks the scope {named}.",
                {
                    "missing_scope": missing[0],
                    "missing_scopes": missing,
                    "required_scopes": list(scopes),
                },
                # RFC 6750 §3.1
                headers={
                    "WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", '
                    f'scope="{" ".join(scopes)}"'
                },
            )


def requires(*scopes: str, watched: bool = False) -> Callable[[Request], Awaitable[Caller]]:
    """Return the dependency of a route that only keys with all *scopes* may use.

    With *watched* the key may be as it was moments ago, which is for routes whose answers end with
    the key: see :class:`~flowmaestro.api.key_watch.KeyWatch`.
    """

    async def authorized(request: Request) -> Caller:
        caller = await authenticate(request, watched=watched)
        caller.require(*scopes)
        return caller

    return authorized


async def authenticate(request: Request, *, watched: bool = False) -> Caller:
    """Return who makes *request*, after counting it against the key's rate limits.

    Raises:
        ApiError: ``invalid_api_key``, ``expired_api_key``, ``revoked_api_key`` or
            ``rate_limit_exceeded``.
        StorageUnavailable: the key could not be looked up.
    """
    services = services_of(request)
    presented = presented_key(request.headers)
    # Found by its hash: an attacker who times the index lookup learns about SHA-256 values that
    # belong to no key they could name, so there is no secret here to compare in constant time.
    keys = services.key_watch if watched else services.storage.keys
    key = await keys.find(hash_key(presented))
    if key is None:
        raise _refused("invalid_api_key", "There is no such API key.")
    request.scope[KEY_ID_KEY] = key.id
    check_usable(key, request)
    headers = await request.app.state.rate_limiter.take(key)
    request.scope[RESPONSE_HEADERS_KEY].update(headers)
    return Caller(key)


def check_usable(key: ApiKey, request: Request) -> None:
    """Raise ``revoked_api_key`` or ``expired_api_key`` unless *key* may still be used."""
    if key.revoked_at is not None:
        raise _refused("revoked_api_key", "This API key has been revoked.")
    if key.expires_at is not None and key.expires_at <= services_of(request).clock():
        raise _refused("expired_api_key", "This API key has expired.")


def presented_key(headers: Headers) -> str:
    """Return the key in ``X-API-Key`` or ``Authorization: Bearer``, wherever it is.

    Raises:
        ApiError: ``invalid_api_key``: there is none, two that differ, or something that is no key.
    """
    presented = {value.strip() for value in headers.getlist("x-api-key")}
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer":
            raise _refused("invalid_api_key", "The Authorization header must be 'Bearer KEY'.")
        presented.add(token.strip())
    if not presented:
        raise _refused(
            "invalid_api_key", "An API key is needed: X-API-Key: KEY or Authorization: Bearer KEY."
        )
    if len(presented) > 1:
        # Which of them was meant is not ours to guess: a proxy may have added one.
        raise _refused("invalid_api_key", "The request carries two different API keys.")
    key = presented.pop()
    if key_environment(key) is None:
        raise _refused("invalid_api_key", "That is not an API key: fm_live_… or fm_test_….")
    return key


def _refused(
    code: Literal["invalid_api_key", "expired_api_key", "revoked_api_key"], message: str
) -> ApiError:
    # RFC 9110 §11.6.1: a 401 says how to authenticate.
    return ApiError(code, message, headers={"WWW-Authenticate": _CHALLENGE})
