"""Host ports: who gets which, and how they are held."""

import socket

import pytest

from pier.kernel.sockdiag import taken_ports
from pier.network.endpoints import Mapping
from pier.network.ports import PortAllocator, PortRefused, Ports, ephemeral_range
from pier.spec.ports import Port, Publication

pytestmark = pytest.mark.root


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


def fixed(number: int, address: str = "", inside: int = 80) -> Publication:
    return Publication(Port(inside, "tcp"), address, number, number)


@pytest.fixture
def allocator() -> PortAllocator:
    return PortAllocator((free_port(), 65535))


def test_a_port_is_held_against_other_programs_and_given_back(allocator: PortAllocator) -> None:
    number = free_port()
    taken = allocator.take([fixed(number)], "10.0.0.2")
    assert taken.mappings == (Mapping("tcp", "", number, number, 80),)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("0.0.0.0", number))
    allocator.give(taken)
    with socket.socket() as other:
        other.bind(("0.0.0.0", number))


def test_a_port_of_another_container_is_refused_in_dockers_words(allocator: PortAllocator) -> None:
    number = free_port()
    taken = allocator.take([fixed(number)], "10.0.0.2")
    for address in ("", "127.0.0.1"):
        with pytest.raises(PortRefused, match=f"Bind for {address or '0.0.0.0'}:{number} failed: port is already all"):
            allocator.take([fixed(number, address)], "10.0.0.3")
    allocator.give(taken)


def test_one_port_on_two_addresses_goes_to_two_containers(allocator: PortAllocator) -> None:
    number = free_port()
    first = allocator.take([fixed(number, "127.0.0.1")], "10.0.0.2")
    second = allocator.take([fixed(number, "127.0.0.2")], "10.0.0.3")
    with pytest.raises(PortRefused):
        allocator.take([fixed(number)], "10.0.0.4")
    allocator.give(first)
    allocator.give(second)


def test_a_port_of_another_program_is_refused(allocator: PortAllocator) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1]
        words = f"failed to bind host port for 0.0.0.0:{number}:10.0.0.2:80/tcp: address already in use"
        with pytest.raises(PortRefused, match=words):
            allocator.take([fixed(number)], "10.0.0.2")
    allocator.give(allocator.take([fixed(number)], "10.0.0.2"))


def test_an_address_that_the_host_has_not_is_refused(allocator: PortAllocator) -> None:
    with pytest.raises(PortRefused, match="cannot assign requested address"):
        allocator.take([fixed(8080, "192.0.2.77")], "10.0.0.2")


def test_a_range_on_the_host_gives_its_first_free_port(allocator: PortAllocator) -> None:
    wish = Publication(Port(80, "tcp"), "127.0.0.9", 20100, 20102)
    first, second = (allocator.take([wish], "10.0.0.2") for _ in range(2))
    assert [taken.mappings[0].first for taken in (first, second)] == [20100, 20101]
    allocator.give(first)
    allocator.give(second)


def test_the_engines_choice_goes_on_from_its_last(allocator: PortAllocator) -> None:
    wish = Publication(Port(80, "tcp"), "127.0.0.9", 0, 0)
    first, second = (allocator.take([wish], "10.0.0.2") for _ in range(2))
    allocator.give(first)
    third = allocator.take([wish], "10.0.0.2")
    numbers = [taken.mappings[0].first for taken in (first, second, third)]
    assert numbers == sorted(set(numbers))
    allocator.give(second)
    allocator.give(third)


def test_nothing_is_kept_of_a_request_that_fails(allocator: PortAllocator) -> None:
    good, bad = free_port(), free_port()
    other = allocator.take([fixed(bad)], "10.0.0.2")
    with pytest.raises(PortRefused):
        allocator.take([fixed(good), fixed(bad, inside=81)], "10.0.0.3")
    allocator.give(allocator.take([fixed(good)], "10.0.0.3"))
    allocator.give(other)


def test_a_long_range_is_one_mapping_without_sockets(allocator: PortAllocator) -> None:
    wishes = [fixed(number, "127.0.0.9", number) for number in range(20200, 20300)]
    taken = allocator.take(wishes, "10.0.0.2")
    assert taken.mappings == (Mapping("tcp", "127.0.0.9", 20200, 20299, 20200),)
    assert not taken.held
    with pytest.raises(PortRefused, match="20250 failed: port is already allocated"):
        allocator.take([fixed(20250, "127.0.0.9")], "10.0.0.3")
    allocator.give(taken)


def test_a_long_range_with_a_busy_port_is_refused(allocator: PortAllocator) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.9", 20450))
        server.listen()
        wishes = [fixed(number, "127.0.0.9", number) for number in range(20400, 20500)]
        with pytest.raises(PortRefused, match="20450: address already in use"):
            allocator.take(wishes, "10.0.0.2")
    allocator.give(allocator.take(wishes, "10.0.0.2"))


def test_ports_of_a_container_that_outlived_the_daemon_count(allocator: PortAllocator) -> None:
    mapping = Mapping("tcp", "", 20500, 20500, 80)
    allocator.adopt([mapping])
    with pytest.raises(PortRefused, match="already allocated"):
        allocator.take([fixed(20500)], "10.0.0.2")
    allocator.give(Ports((mapping,)))
    allocator.give(allocator.take([fixed(20500)], "10.0.0.2"))


def test_a_udp_port_is_held(allocator: PortAllocator) -> None:
    taken = allocator.take([Publication(Port(53, "udp"), "127.0.0.9", 20600, 20600)], "10.0.0.2")
    assert (socket.inet_aton("127.0.0.9"), 20600) in set(taken_ports(socket.IPPROTO_UDP))
    allocator.give(taken)


def test_a_held_port_drops_what_reaches_it(allocator: PortAllocator) -> None:
    taken = allocator.take([fixed(20700, "127.0.0.9")], "10.0.0.2")
    with socket.socket() as client, pytest.raises(TimeoutError):
        client.settimeout(0.2)
        client.connect(("127.0.0.9", 20700))
    allocator.give(taken)


@pytest.mark.parametrize("text", ["", "5", "9 8", "0 7", "1 70000", "a b"])
def test_a_strange_ephemeral_range_is_replaced(text: str) -> None:
    assert ephemeral_range(text) == (49153, 65535)
    assert ephemeral_range("32768\t60999") == (32768, 60999)
