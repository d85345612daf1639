"""Repeating plain requests, without I/O: a generator that both clients drive.

It yields :class:`Send` and is sent the :class:`Answer`, or the :class:`TransportError` there was
instead; it yields :class:`Wait` and is sent nothing; it returns the answer, or raises.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from flowmaestro.client.answers import Answer, read_error
from flowmaestro.client.backoff import Random
from flowmaestro.client.errors import APIError, ConnectionFailed, FlowMaestroError, TransportError
from flowmaestro.client.options import ClientOptions

_logger = logging.getLogger(__name__)

_REPEATED_STATUSES: Final = frozenset({429, 502, 503, 504})
_REFUSED_STATUSES: Final = frozenset({429})
"""What says for certain that the request was not carried out."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request and read the whole answer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so long."""

    seconds: float


Reply = Answer | TransportError | None


def send_with_retries(
    options: ClientOptions, *, repeatable: bool, random: Random
) -> Generator[Send | Wait, Reply, Answer]:
    """Send one request until it is answered, at most ``options.max_retries`` times more.

    Repeated are: requests that never left; those refused with 429; and, if sending twice does no
    more than sending once (*repeatable*), also those without an answer and those answered with
    502, 503 or 504. ``Retry-After`` is waited for if it is short enough.

    Raises:
        APIError: the server's error, when repeating is not allowed or did not help.
        TransportError: there was no answer, likewise.
    """
    for repeat in range(options.max_retries + 1):
        reply = yield Send()
        if isinstance(reply, Answer) and reply.ok:
            return reply
        error = _error(reply)
        seconds = options.backoff.delay_seconds(repeat, random)
        if isinstance(error, APIError) and error.retry_after_seconds is not None:
            if error.retry_after_seconds > options.max_retry_after_seconds:
                raise error
            seconds += error.retry_after_seconds
        if repeat == options.max_retries or not _may_repeat(error, repeatable):
            raise error
        _logger.info("trying again in %.1f s: %s", seconds, error, extra={"delay_seconds": seconds})
        yield Wait(seconds)
    raise AssertionError("the last repeat returns or raises")


def _error(reply: Reply) -> FlowMaestroError:
    if isinstance(reply, Answer):
        return read_error(reply)
    assert reply is not None, "a request has an answer or an error"
    return reply


def _may_repeat(error: FlowMaestroError, repeatable: bool) -> bool:
    if isinstance(error, APIError):
        return error.status in (_REPEATED_STATUSES if repeatable else _REFUSED_STATUSES)
    if isinstance(error, ConnectionFailed) and not error.sent:
        return True
    return repeatable and isinstance(error, TransportError)
