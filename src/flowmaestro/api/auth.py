"""Who calls: API keys, the tickets they signed, their scopes, and the workspace they open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from starlette.requests import Request

from flowmaestro.api.errors import ApiError
from flowmaestro.api.keys import hash_key, key_environment
from flowmaestro.api.middleware.request import KEY_ID_KEY, RESPONSE_HEADERS_KEY
from flowmaestro.api.routes.table import required_scopes
from flowmaestro.api.services import services_of
from flowmaestro.api.tickets import InvalidTicket, parse_ticket
from flowmaestro.events import format_timestamp
from flowmaestro.storage import ApiKey

TICKET_PARAMETER = "ticket"
"""The query parameter that holds a ticket."""

_CHALLENGE = 'Bearer realm="flowmaestro"'
_KEY_HEADERS = ("x-api-key", "authorization")
_NEW_TICKET = "Ask whoever gave it for a new one, and go on from your cursor."


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with, or that signed the ticket it came with; everything it may
    see is in its workspace."""

    key: ApiKey
    key_hash: str = field(repr=False)

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


async def authorized(request: Request) -> Caller:
    """Return who makes *request*, if their key has the scopes that the route's entry in the table
    of routes demands.

    Raises:
        ApiError: as of :func:`authenticate`, or ``insufficient_scope``.
    """
    caller = await authenticate(request)
    caller.require(*required_scopes(request))
    return caller


async def authenticate(request: Request, *, watched: bool = False) -> Caller:
    """Return who makes *request*, after counting it against the key's rate limits.

    With *watched* the key may be as it was moments ago, which is for routes whose answers end with
    the key: see :class:`~flowmaestro.api.key_watch.KeyWatch`.

    Raises:
        ApiError: ``invalid_api_key``, ``expired_api_key``, ``revoked_api_key`` or
            ``rate_limit_exceeded``.
        StorageUnavailable: the key could not be looked up.
    """
    services = services_of(request)
    presented = hash_key(presented_key(request))
    # Found by its hash: an attacker who times the index lookup learns about SHA-256 values that
    # belong to no key they could name, so there is no secret here to compare in constant time.
    keys = services.key_watch if watched else services.storage.keys
    key = await keys.find(presented)
    if key is None:
        raise _refused("invalid_api_key", "There is no such API key.")
    request.scope[KEY_ID_KEY] = key.id
    _check_usable(key, "This API key", services.clock())
    _count(request, key)
    return Caller(key, presented)


async def authenticate_reader(request: Request, execution_id: str) -> Caller:
    """Return who asks for the events of *execution_id*, with a key or with a ticket for them, after
    counting it against the key's rate limits.

    Raises:
        ApiError: as of :func:`authenticate`; a ticket is refused with the same codes, and
            ``details.credential`` says whether the ticket or its key is what cannot be used.
        StorageUnavailable: the key could not be looked up.
    """
    tickets = set(request.query_params.getlist(TICKET_PARAMETER))
    if not tickets:
        return await authenticate(request, watched=True)
    if any(name in request.headers for name in _KEY_HEADERS):
        raise _refused_ticket("The request carries a key and a ticket: send one of them.")
    if len(tickets) > 1:
        raise _refused_ticket("The request carries two different tickets.")
    try:
        ticket = parse_ticket(tickets.pop())
    except InvalidTicket as error:
        raise _refused_ticket(f"{error} {_NEW_TICKET}") from error
    services = services_of(request)
    found = await services.key_watch.find_with_hash(ticket.key_id)
    # That a key is not there takes less time than a wrong signature: its id is no secret.
    if found is None or not ticket.is_signed_with(found.key_hash):
        raise _refused_ticket(
            f"This ticket is not valid: it was changed, or another server gave it. {_NEW_TICKET}"
        )
    request.scope[KEY_ID_KEY] = found.key.id
    now = services.clock()
    _check_usable(found.key, "The API key of this ticket", now)
    if ticket.expires_at <= now:
        raise _refused(
            "expired_api_key",
            f"This ticket has expired. {_NEW_TICKET}",
            {"credential": "ticket", "expired_at": format_timestamp(ticket.expires_at)},
        )
    if ticket.execution_id != execution_id:
        raise _refused_ticket(
            f"This ticket opens the events of {ticket.execution_id} and nothing else: ask for one "
            "of this execution."
        )
    _count(request, found.key)
    return Caller(found.key, found.key_hash)


def _check_usable(key: ApiKey, name: str, now: datetime) -> None:
    if key.revoked_at is not None:
        raise _refused("revoked_api_key", f"{name} has been revoked.", {"credential": "key"})
    if key.expires_at is not None and key.expires_at <= now:
        raise _refused("expired_api_key", f"{name} has expired.", {"credential": "key"})


def _count(request: Request, key: ApiKey) -> None:
    headers = request.app.state.rate_limiter.take(key)
    request.scope[RESPONSE_HEADERS_KEY].update(headers)


def presented_key(request: Request) -> str:
    """Return the key in ``X-API-Key`` or ``Authorization: Bearer``, wherever it is.

    Raises:
        ApiError: ``invalid_api_key``: there is none, two that differ, or something that is no key.
    """
    headers = request.headers
    presented = {value.strip() for value in headers.getlist("x-api-key")}
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer":
            raise _refused("invalid_api_key", "The Authorization header must be 'Bearer KEY'.")
        presented.add(token.strip())
    if not presented:
        only = "A ticket opens the events of one execution and nothing else. "
        raise _refused(
            "invalid_api_key",
            f"{only if TICKET_PARAMETER in request.query_params else ''}An API key is needed: "
            "X-API-Key: KEY or Authorization: Bearer KEY.",
        )
    if len(presented) > 1:
        # Which of them was meant is not ours to guess: a proxy may have added one.
        raise _refused("invalid_api_key", "The request carries two different API keys.")
    key = presented.pop()
    if key_environment(key) is None:
        raise _refused("invalid_api_key", "That is not an API key: fm_live_… or fm_test_….")
    return key


def _refused(
    code: Literal["invalid_api_key", "expired_api_key", "revoked_api_key"],
    message: str,
    details: Mapping[str, str] | None = None,
) -> ApiError:
    # RFC 9110 §11.6.1: a 401 says how to authenticate.
    return ApiError(code, message, details, headers={"WWW-Authenticate": _CHALLENGE})


def _refused_ticket(message: str) -> ApiError:
    return _refused("invalid_api_key", message, {"credential": "ticket"})
