"""From a host's name to the addresses that may be connected to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from itertools import zip_longest

from flowmaestro.nodes.outbound.addresses import IPAddress
from flowmaestro.nodes.outbound.allowed import AllowedNetworks
from flowmaestro.nodes.outbound.resolver import Resolver

logger = logging.getLogger(__name__)

MAX_ADDRESSES = 16
"""A name may have thousands: no more are tried, so that one request is no port scan."""
CHECK_SECONDS = 2.0


class AddressForbidden(Exception):
    """A host has no address that may be connected to. ``host`` is as the URL has it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} has no address that may be connected to")
        self.host = host


class Guard:
    """Says which addresses a connection to a host may use.

    :param allowed: the addresses that may be reached.
    :param resolve: how names are looked up.
    """

    def __init__(self, allowed: AllowedNetworks, resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> Sequence[IPAddress]:
        """Look *host* up, once, and return those of its addresses that may be connected to, in the
        order to try them in.

        What is forbidden among them is left out: it cannot be reached by being named beside
        something else, and a name with an internal address as well stays usable.

        :raises AddressForbidden: none is left.
        :raises OSError: the host cannot be found.
        """
        found = await self._look_up(host, port)
        allowed = [address for address in found if self._allowed.allows(address)]
        if not allowed:
            self._refuse(host, found)
        return _alternating(allowed)[:MAX_ADDRESSES]

    async def check(self, host: str, port: int) -> None:
        """Refuse *host* if it has an address that may not be connected to.

        For a proxy, which looks the name up itself and may take any of its addresses. A name that
        only the proxy can find passes. So does one that is not found within ``CHECK_SECONDS``:
        where there is a proxy, there may be no name server.

        :raises AddressForbidden: one is forbidden.
        """
        if self._allowed.everything:
            return
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                found = await self._look_up(host, port)
        except OSError:  # the timeout's is one too
            return
        if not all(self._allowed.allows(address) for address in found):
            self._refuse(host, found)

    async def _look_up(self, host: str, port: int) -> list[IPAddress]:
        try:
            return [_unmapped(ip_address(host))]
        except ValueError:
            return [_unmapped(ip_address(text)) for text in await self._resolve(host, port)]

    def _refuse(self, host: str, found: Sequence[IPAddress]) -> None:
        # The addresses are for the operator: a workflow's author is not told about the network.
        logger.warning(
            "an http node was refused %s, which is %s",
            host,
            ", ".join(map(str, found[:MAX_ADDRESSES])) or "nowhere",
        )
        raise AddressForbidden(host)


def _unmapped(address: IPAddress) -> IPAddress:
    """An IPv4-mapped address is IPv4 on the wire, and needs no IPv6 to be connected to."""
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def _alternating(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    """Alternate between IPv6 and IPv4, from the preferred one on (RFC 8305, section 4)."""
    first = [address for address in addresses if address.version == addresses[0].version]
    others = [address for address in addresses if address.version != addresses[0].version]
    pairs = zip_longest(first, others)
    return [address for pair in pairs for address in pair if address is not None]
