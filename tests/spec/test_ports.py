"""Ports as Docker writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec.errors import InvalidParameter
from pier.spec.host_config import PortBinding
from pier.spec.ports import (
    Port,
    Publication,
    parse_address,
    parse_ports,
    parse_range,
    publications,
)


def test_a_port_has_tcp_unless_it_says_otherwise() -> None:
    assert parse_ports("80") == (Port(80, "tcp"),)
    assert parse_ports("53/udp") == (Port(53, "udp"),)
    assert parse_ports("53/UDP") == (Port(53, "udp"),)
    assert parse_ports("8000-8002/sctp") == tuple(Port(number, "sctp") for number in (8000, 8001, 8002))
    assert str(Port(80, "tcp")) == "80/tcp"


@pytest.mark.parametrize("wrong", ["", "/tcp", "80/", "80/icmp", "abc/tcp", "0/tcp", "65536", "9-8", "-1", "8 0", "٨٠"])
def test_what_is_no_port_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid port specification"):
        parse_ports(wrong)


@given(st.text(max_size=12))
def test_any_text_is_a_port_or_invalid(text: str) -> None:
    try:
        ports = parse_ports(text)
    except InvalidParameter:
        return
    assert all(parse_ports(str(port)) == (port,) for port in ports)


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_ranges_round_trip(first: int, last: int) -> None:
    if first <= last:
        assert parse_range(f"{first}-{last}") == (first, last)
    else:
        with pytest.raises(InvalidParameter):
            parse_range(f"{first}-{last}")


@pytest.mark.parametrize(
    ("text", "address"),
    [("", ""), ("0.0.0.0", ""), ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::", "::")],
)
def test_host_addresses(text: str, address: str) -> None:
    assert parse_address(text) == address


def test_a_host_name_is_no_address() -> None:
    with pytest.raises(InvalidParameter, match="invalid IP address: localhost"):
        parse_address("localhost")


def bound(port: str, *host: tuple[str, str]) -> dict[str, list[PortBinding] | None]:
    return {port: [PortBinding(HostIp=address, HostPort=number) for address, number in host]}


def test_a_binding_wishes_for_its_port() -> None:
    wish = Publication(Port(80, "tcp"), "127.0.0.1", 8080, 8080)
    assert publications(bound("80/tcp", ("127.0.0.1", "8080"))) == (wish,)


def test_fixed_ports_come_before_ranges_and_the_engines_choice() -> None:
    bindings = {**bound("1/tcp", ("", "")), **bound("2/tcp", ("", "8000-8010")), **bound("3/tcp", ("", "8001"))}
    assert [wish.port.number for wish in publications(bindings)] == [3, 2, 1]


def test_two_ranges_of_one_length_go_one_to_one() -> None:
    wishes = publications(bound("80-82/tcp", ("", "8080-8082")))
    assert [(wish.port.number, wish.first) for wish in wishes] == [(80, 8080), (81, 8081), (82, 8082)]
    with pytest.raises(InvalidParameter):
        publications(bound("80-82/tcp", ("", "8080-8083")))


def test_publish_all_takes_only_exposed_ports_without_a_binding() -> None:
    wishes = publications(bound("80/tcp", ("", "8080")), ["80/tcp", "81/tcp"], publish_all=True)
    assert [(wish.port.number, wish.first) for wish in wishes] == [(80, 8080), (81, 0)]
