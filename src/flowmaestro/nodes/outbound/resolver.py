"""From a host's name to its addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

MAX_LOOK_UPS = 64
"""Names that are looked up at once; further ones wait, each within its node's time limit."""


class Resolver(Protocol):
    """Looks a host up."""

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the IP addresses of *host*, the preferred ones first, an IPv6 one with its zone
        (``fe80::1%2``) where it needs one.

        :raises OSError: there are none, or no answer (:class:`socket.gaierror`).
        """
        ...


class SystemResolver:
    """Looks hosts up as every program of the machine does: hosts file, DNS, and the old spellings
    of IPv4 addresses (``127.1``, ``0x7f000001``, ``2130706433``).

    It has threads of its own: whoever may name a host may name one whose name server takes its
    time, and a look-up cannot be cancelled. In the event loop's own threads it would keep requests
    from being parsed and executions from beginning.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_LOOK_UPS, thread_name_prefix="flowmaestro-look-up")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """See :class:`Resolver`. Cancelling leaves a look-up that has begun to its thread."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        except UnicodeError as error:  # a label that is empty, or too long for DNS
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from error
        return [_with_zone(sockaddr) for *_, sockaddr in found]

    def close(self) -> None:
        """Begin no further look-up. Those that have begun are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _with_zone(sockaddr: tuple[Any, ...]) -> str:
    address, zone = str(sockaddr[0]), sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{address}%{zone}" if zone and "%" not in address else address
