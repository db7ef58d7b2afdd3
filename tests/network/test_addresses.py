"""Which address a container gets."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.network.addresses import AddressSpace, mac_of, parse_mac, show_mac
from pier.spec.errors import Conflict, InvalidParameter, Unavailable


def space(subnet: str = "10.1.2.0/24", pool: str | None = None) -> AddressSpace:
    network = IPv4Network(subnet)
    return AddressSpace(network, network[1], IPv4Network(pool) if pool else None)


def test_the_lowest_free_address_comes_first() -> None:
    addresses = space()
    assert [str(addresses.take()) for _ in range(3)] == ["10.1.2.2", "10.1.2.3", "10.1.2.4"]
    addresses.give(IPv4Address("10.1.2.3"))
    addresses.give(IPv4Address("10.1.2.2"))
    assert str(addresses.take()) == "10.1.2.2"
    assert str(addresses.take()) == "10.1.2.3"
    assert str(addresses.take()) == "10.1.2.5"


def test_neither_the_subnets_own_nor_its_broadcast_address_is_given() -> None:
    addresses = space("10.1.2.0/30")
    assert str(addresses.take()) == "10.1.2.2"
    with pytest.raises(Unavailable, match="no available IPv4 addresses"):
        addresses.take()


def test_a_pool_inside_the_subnet_limits_what_is_given() -> None:
    addresses = space("10.1.2.0/24", "10.1.2.128/31")
    assert [str(addresses.take()), str(addresses.take())] == ["10.1.2.128", "10.1.2.129"]
    with pytest.raises(Unavailable):
        addresses.take()


def test_an_address_asked_for_is_given_once() -> None:
    addresses = space()
    assert str(addresses.take_this("10.1.2.2")) == "10.1.2.2"
    assert str(addresses.take()) == "10.1.2.3"
    with pytest.raises(Conflict, match="Address already in use"):
        addresses.take_this("10.1.2.2")
    with pytest.raises(Conflict):
        addresses.take_this("10.1.2.1")  # the gateway


@pytest.mark.parametrize("wrong", ["10.1.3.2", "10.1.2.0", "10.1.2.255", "nonsense", "::1", ""])
def test_an_address_of_elsewhere_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidParameter):
        space().take_this(wrong)


def test_the_gateway_is_never_given_back() -> None:
    addresses = space("10.1.2.0/29")
    addresses.give(IPv4Address("10.1.2.1"))
    assert str(addresses.take()) == "10.1.2.2"


@given(st.lists(st.integers(0, 9), max_size=60))
def test_no_address_is_held_twice(choices: list[int]) -> None:
    addresses = space("10.1.2.0/28")
    held: list[IPv4Address] = []
    for choice in choices:
        if choice < 6 and len(held) < 13:
            held.append(addresses.take())
        elif held:
            addresses.give(held.pop(choice % len(held)))
        assert len(set(held)) == len(held) == len(addresses)


def test_hardware_addresses_follow_the_address_and_round_trip() -> None:
    assert show_mac(mac_of(IPv4Address("172.17.0.2"))) == "02:42:ac:11:00:02"
    assert parse_mac("02:42:AC:11:00:02") == mac_of(IPv4Address("172.17.0.2"))


@pytest.mark.parametrize("wrong", ["", "02:42", "01:00:5e:00:00:01", "00:00:00:00:00:00", "zz:42:ac:11:00:02"])
def test_an_address_of_no_single_station_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid MAC address"):
        parse_mac(wrong)
