"""What an operator lets ``http`` nodes reach besides public addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Self

from flowmaestro.nodes.outbound.addresses import (
    METADATA_SERVICES,
    IPAddress,
    IPNetwork,
    destination,
    is_public,
)

EVERYTHING = "*"
_WORDS: dict[str, tuple[IPNetwork, ...]] = {
    "loopback": (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
    "private": (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv4Network("100.64.0.0/10"),
        IPv6Network("fc00::/7"),
    ),
}


@dataclass(frozen=True, slots=True)
class AllowedNetworks:
    """The addresses that may be connected to: the public ones, and those of *networks*.

    A cloud's metadata service is reached only if *networks* has its very address, not by a larger
    network that it is part of. With *everything* there is no limit at all.
    """

    networks: tuple[IPNetwork, ...] = ()
    everything: bool = False

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Return what *entries* allow: addresses, networks (``10.0.0.0/8``), ``loopback``,
        ``private``, and ``*`` for everything.

        :raises ValueError: an entry is none of these; the message says which, and what it may be.
        """
        networks: list[IPNetwork] = []
        everything = False
        for entry in entries:
            word = entry.strip().lower()
            if word == EVERYTHING:
                everything = True
            elif word in _WORDS:
                networks += _WORDS[word]
            else:
                networks.append(_network(word))
        return cls(tuple(networks), everything)

    def allows(self, address: IPAddress) -> bool:
        """Return whether a connection to *address* is allowed."""
        if self.everything:
            return True
        end = destination(address)
        if end in METADATA_SERVICES:
            return any(network.num_addresses == 1 and end in network for network in self.networks)
        return is_public(end) or any(end in network for network in self.networks)


PUBLIC_ONLY = AllowedNetworks()


def _network(text: str) -> IPNetwork:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address, no network such as 10.0.0.0/8, and none of the words "
            "loopback, private and *; a host's name is not taken, since its address can change"
        ) from None
    given = text.partition("/")[0]
    if network.num_addresses > 1 and ip_network(given).network_address != network.network_address:
        # A network that is wider than was meant must not open by a slip.
        raise ValueError(f"{text!r} is no network: write {network} or the address {given}")
    return network
