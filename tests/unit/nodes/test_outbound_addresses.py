"""Which addresses ``http`` nodes may reach: the tables against Python's own, and the settings."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowmaestro.nodes import AllowedNetworks
from flowmaestro.nodes.outbound.addresses import METADATA_SERVICES, IPAddress, is_public

PUBLIC_ONLY = AllowedNetworks()
EVERYTHING = AllowedNetworks.parse(["*"])

# Where `is_global` differs between releases of Python, or is not what "public" means here.
DISPUTED = [
    ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4"),
        *("2001::/23", "2002::/16", "3fff::/20"),
        *("::ffff:0:0/96", "64:ff9b::/96"),
    )
]


def _disputed(address: IPAddress) -> bool:
    if address.version == 6 and address not in ip_network("2000::/3"):
        return True
    return any(address in network for network in DISPUTED)


@settings(deadline=None)
@given(st.ip_addresses())
def test_an_address_is_public_iff_the_registries_say_so(address: IPAddress) -> None:
    if not _disputed(address):
        assert is_public(address) == address.is_global
        allowed = address.is_global and address not in METADATA_SERVICES
        assert PUBLIC_ONLY.allows(address) == allowed


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_of_global_unicast_is_public(address: IPv6Address) -> None:
    if address not in ip_network("2000::/3"):
        assert not is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_ipv6_clothes_is_judged_as_itself(address: IPv4Address) -> None:
    allowed = PUBLIC_ONLY.allows(address)
    assert PUBLIC_ONLY.allows(ip_address(f"::ffff:{address}")) == allowed
    assert PUBLIC_ONLY.allows(ip_address(int(address) | 0x64FF9B << 96)) == allowed
    # 6to4, Teredo and IPv4-compatible addresses are refused, whatever they carry.
    assert not PUBLIC_ONLY.allows(ip_address((0x2002 << 112) | int(address) << 80))
    assert not PUBLIC_ONLY.allows(ip_address((0x20010000 << 96) | (int(address) ^ 0xFFFFFFFF)))
    assert not PUBLIC_ONLY.allows(IPv6Address(int(address)))


@settings(deadline=None)
@given(st.ip_addresses(), st.integers(0, 128))
def test_what_an_operator_names_is_allowed_and_nothing_else_is(
    address: IPAddress, prefix: int
) -> None:
    network = ip_network(f"{address}/{min(prefix, address.max_prefixlen)}", strict=False)
    allowed = AllowedNetworks.parse([str(network)])
    plain = address.version == 4 or not (
        address in ip_network("::ffff:0:0/96") or address in ip_network("64:ff9b::/96")
    )
    if plain and (address not in METADATA_SERVICES or network.num_addresses == 1):
        assert allowed.allows(address)
    for other in ("127.0.0.1", "10.1.2.3", "fc00::1", "169.254.0.1", "8.8.8.8"):
        expected = ip_address(other) in network or PUBLIC_ONLY.allows(ip_address(other))
        assert allowed.allows(ip_address(other)) == expected


@settings(deadline=None)
@given(st.ip_addresses())
def test_everything_is_everything(address: IPAddress) -> None:
    assert EVERYTHING.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "93.184.215.14", "192.0.0.9", "192.0.0.10", "100.63.255.255"),
        *("100.128.0.0", "172.15.255.255", "172.32.0.0", "223.255.255.255", "192.31.196.1"),
        *("192.52.193.1", "192.175.48.6", "2606:4700:4700::1111", "2001:4860:4860::8888"),
        *("2001:3::1", "2001:4:112::1", "2001:20::1", "2001:30::1", "2001:200::1"),
        *("2620:4f:8000::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert PUBLIC_ONLY.allows(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
        *("127.255.255.255", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
        *("192.0.0.8", "192.0.0.11", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
        *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
        *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "100:0:0:1::1"),
        *("2001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:2::1", "2001:10::1"),
        *("2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1"),
        *("fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%2", "fec0::1", "ff02::1", "ff0e::1"),
    ],
)
def test_special_addresses_are_not_allowed(address: str) -> None:
    assert not PUBLIC_ONLY.allows(ip_address(address))


@pytest.mark.parametrize("address", sorted(METADATA_SERVICES, key=str))
def test_a_metadata_service_must_be_named_itself(address: IPAddress) -> None:
    around = ["private", "loopback", "0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10"]
    assert not PUBLIC_ONLY.allows(address)
    assert not AllowedNetworks.parse(around).allows(address)
    assert AllowedNetworks.parse([str(address)]).allows(address)
    if isinstance(address, IPv4Address):
        mapped, translated = IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")
        assert not AllowedNetworks.parse(around).allows(mapped)
        assert not AllowedNetworks.parse(around).allows(translated)


def test_a_zone_does_not_hide_a_metadata_service() -> None:
    allowed = AllowedNetworks.parse(["fe80::/10"])
    assert allowed.allows(ip_address("fe80::1%2"))
    assert not allowed.allows(ip_address("fe80::a9fe:a9fe%2"))


def test_words_stand_for_networks() -> None:
    loopback, private = AllowedNetworks.parse(["loopback"]), AllowedNetworks.parse([" Private "])
    for address in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
        assert loopback.allows(ip_address(address))
        assert not private.allows(ip_address(address))
    for address in ("10.1.1.1", "172.20.0.1", "192.168.0.1", "100.64.0.1", "fd00::1"):
        assert private.allows(ip_address(address))
        assert not loopback.allows(ip_address(address))
    for address in ("169.254.1.1", "fe80::1", "0.0.0.0", "224.0.0.1"):
        assert not private.allows(ip_address(address))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("intranet", "a host's name is not taken"),
        ("localhost", "a host's name is not taken"),
        ("", "is no address"),
        ("10.0.0.0/33", "no network such as 10.0.0.0/8"),
        ("10.0.0.1-10.0.0.9", "is no address"),
        ("http://10.0.0.1", "is no address"),
        ("10.0.0.1/8", "write 10.0.0.0/8 or the address 10.0.0.1"),
        ("fd00::1/8", "write fd00::/8 or the address fd00::1"),
    ],
)
def test_an_entry_that_means_nothing_is_refused(entry: str, message: str) -> None:
    with pytest.raises(ValueError, match="is no") as refused:
        AllowedNetworks.parse(["127.0.0.1", entry])
    assert repr(entry) in str(refused.value)
    assert message in str(refused.value)
