"""Tickets: what a key signs so that the events of one execution can be read without it.

A ticket is ``fm_ticket_v1.KEY_ID.EXECUTION_ID.EXPIRES_MS.MAC``: when it expires, in Unix
milliseconds, and the HMAC-SHA256 (RFC 2104) of all before it, in base64url without padding (RFC
4648 §5). What it is signed with is the stored hash of the key, so that no other secret has to be
kept: see ``docs/decisions/0009-tickets.md``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

DEFAULT_TTL_SECONDS: Final = 300
MAX_TTL_SECONDS: Final = 3_600

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# The version is signed with the rest, so no other use of the hash can be taken for a ticket's.
_TICKET = re.compile(
    r"(?P<signed>fm_ticket_v1\.(?P<key_id>key_\w{1,64})\.(?P<execution_id>exec_\w{1,64})"
    r"\.(?P<expires_ms>\d{1,14}))\.(?P<mac>[\w-]{43})",
    re.ASCII,
)


class InvalidTicket(ValueError):
    """A text is no ticket. It is not shown: it may be one that was mangled on its way."""

    def __init__(self) -> None:
        super().__init__("That is not a ticket: fm_ticket_v1.….")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it was read; whether it is genuine is for :meth:`is_signed_with` to say."""

    key_id: str
    """Of the key that signed it."""
    execution_id: str
    """Whose events it opens."""
    expires_at: datetime
    _signed: str = field(repr=False)
    _mac: str = field(repr=False)

    def is_signed_with(self, key_hash: str) -> bool:
        """Return, in constant time, whether the key of this hash signed it."""
        return hmac.compare_digest(self._mac, _mac(self._signed, key_hash))


def sign_ticket(*, key_id: str, key_hash: str, execution_id: str, expires_at: datetime) -> str:
    """Return a ticket for the events of *execution_id* until *expires_at* (whole milliseconds)."""
    expires_ms = (expires_at - _EPOCH) // _MILLISECOND
    signed = f"fm_ticket_v1.{key_id}.{execution_id}.{expires_ms}"
    return f"{signed}.{_mac(signed, key_hash)}"


def parse_ticket(text: str) -> Ticket:
    """Return the ticket that *text* is, genuine or not.

    Raises:
        InvalidTicket: it does not look like one.
    """
    match = _TICKET.fullmatch(text)
    if match is None:
        raise InvalidTicket
    return Ticket(
        key_id=match["key_id"],
        execution_id=match["execution_id"],
        expires_at=_EPOCH + int(match["expires_ms"]) * _MILLISECOND,
        _signed=match["signed"],
        _mac=match["mac"],
    )


def _mac(signed: str, key_hash: str) -> str:
    digest = hmac.digest(bytes.fromhex(key_hash), signed.encode("ascii"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
