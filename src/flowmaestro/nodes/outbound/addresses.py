"""Which IP addresses are public, and which belong to a cloud's metadata service.

The tables follow IANA's special-purpose address registries (RFC 6890 and its updates, as of 2025),
and not :attr:`ipaddress.IPv4Address.is_global`, whose answers differ between releases of Python
and call multicast, 6to4 and unassigned IPv6 space global.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network: connecting to 0.0.0.0 reaches the own machine
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared by a carrier's customers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4, deprecated
        "192.168.0.0/16",  # private use
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_IN_THEM_V4 = frozenset(
    IPv4Address(address)
    for address in (
        "192.0.0.9",  # anycast of the Port Control Protocol
        "192.0.0.10",  # anycast of TURN
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IANA hands out; what is outside is special or belongs to nobody."""
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, deprecated; it carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
_PUBLIC_IN_THEM_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001:1::1/128",  # anycast of the Port Control Protocol
        "2001:1::2/128",  # anycast of TURN
        "2001:1::3/128",  # anycast of DNS-SD registration
        "2001:3::/32",  # AMT
        "2001:4:112::/48",  # AS112
        "2001:20::/28",  # ORCHIDv2
        "2001:30::/28",  # drone remote identification
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFF_FFFF

METADATA_SERVICES = frozenset[IPAddress](
    {
        # They give a machine its credentials. Most are link-local or private; Azure's is public.
        IPv4Address("169.254.169.254"),  # nearly every cloud
        IPv4Address("169.254.170.2"),  # AWS, credentials of ECS tasks
        IPv4Address("169.254.170.23"),  # AWS, credentials of EKS pods
        IPv6Address("fd00:ec2::23"),  # the same
        IPv6Address("fd00:ec2::254"),  # AWS
        IPv6Address("fd20:ce::254"),  # Google Cloud
        IPv4Address("168.63.129.16"),  # Azure, the host's agent
        IPv4Address("100.100.100.200"),  # Alibaba Cloud
        IPv4Address("192.0.0.192"),  # Oracle Cloud
        IPv6Address("fd00:c1::a9fe:a9fe"),  # Oracle Cloud
        IPv4Address("169.254.42.42"),  # Scaleway
        IPv6Address("fd00:42::42"),  # Scaleway
        IPv4Address("169.254.0.23"),  # Tencent Cloud
        IPv4Address("100.96.0.96"),  # Volcano Engine
        IPv6Address("fe80::a9fe:a9fe"),  # OpenStack
    }
)


def destination(address: IPAddress) -> IPAddress:
    """Return where packets to *address* end: the IPv4 address that an IPv4-mapped (RFC 4291) or
    NAT64 (RFC 6052) one stands for, else *address* itself, without a zone."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & _LOW_32_BITS)
    return IPv6Address(int(address))


def is_public(address: IPAddress) -> bool:
    """Return whether *address*, a :func:`destination`, is one that the whole Internet can reach."""
    if isinstance(address, IPv4Address):
        return address in _PUBLIC_IN_THEM_V4 or not _in_any(address, _NOT_PUBLIC_V4)
    if address not in _GLOBAL_UNICAST:
        return False
    return _in_any(address, _PUBLIC_IN_THEM_V6) or not _in_any(address, _NOT_PUBLIC_V6)


def _in_any(address: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    return any(address in network for network in networks)
