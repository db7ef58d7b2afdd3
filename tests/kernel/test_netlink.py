"""Netlink messages: packing and parsing, and what a real kernel says to them."""

import os
import socket
import struct
import threading
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel import links, netns
from pier.kernel.netlink import NetlinkError, attribute, attributes, nested
from pier.kernel.sockdiag import taken_ports
from pier.kernel.sockets import drop_everything


@given(st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=50)), max_size=10))
def test_attributes_round_trip(values: list[tuple[int, bytes]]) -> None:
    packed = b"".join(attribute(kind, payload) for kind, payload in values)
    assert len(packed) % 4 == 0
    assert list(attributes(packed)) == values


@given(st.binary(max_size=200))
def test_any_bytes_are_walked_without_harm(data: bytes) -> None:
    for _, payload in attributes(data):
        assert payload in data


def test_a_nested_attribute_is_marked_as_one() -> None:
    assert struct.unpack_from("=HH", nested(7, attribute(1, b"x"))) == (12, 0x8007)


def in_new_namespace(work: Callable[[], None]) -> None:
    """Run `work` in a thread of its own in a fresh network namespace, which ends with it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            os.close(netns.unshare())
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@pytest.mark.root
def test_a_bridge_with_a_port_an_address_and_a_route() -> None:
    def work() -> None:
        fd = netns.current()
        with links.open_route() as route:
            route.request(links.new_bridge("br", b"\x02\0\0\0\0\1", mtu=1400), links.set_up("br"))
            index = socket.if_nametoindex("br")
            peer = links.Peer("other", fd, b"\x02\0\0\0\0\2")
            route.request(links.new_veth("port", peer, mtu=1300), links.enslave("port", index))
            route.request(links.set_hairpin("port"), links.without_addresses_of_its_own("other"), links.set_up("other"))
            route.request(links.add_address(index, IPv4Address("10.1.2.1").packed, 24))
            route.request(links.add_default_route(IPv4Address("10.1.2.9").packed))
            there = {link.name: link for link in links.list_links(route)}
            assert there["br"].kind == "bridge"
            assert (there["br"].mac, there["br"].up) == (b"\x02\0\0\0\0\1", True)
            assert (there["port"].master, there["port"].mtu, there["port"].kind) == (index, 1300, "veth")
            assert links.default_route_link(route) == index
            address = links.Address(index, socket.AF_INET, b"\x0a\1\2\1", 24)
            assert address in links.list_addresses(route)
            assert (b"\x0a\1\2\0", 24) in links.list_routes(route)
            assert [
                one for one in links.list_addresses(route, socket.AF_INET6) if one.index == there["other"].index
            ] == []
        os.close(fd)

    in_new_namespace(work)


@pytest.mark.root
def test_a_group_goes_in_one_request() -> None:
    def work() -> None:
        with links.open_route() as route:
            for name in ("one", "two", "three"):
                route.request(links.new_bridge(name))
            route.request(links.set_group("one", 77), links.set_group("two", 77))
            route.request(links.delete_group(77))
            assert {link.name for link in links.list_links(route)} == {"lo", "three"}

    in_new_namespace(work)


@pytest.mark.root
def test_a_refusal_names_its_place_in_the_batch() -> None:
    def work() -> None:
        with links.open_route() as route:
            requests = (links.new_bridge("one"), links.new_bridge("one"), links.new_bridge("two"))
            with pytest.raises(NetlinkError) as caught:
                route.request(*requests)
            assert (caught.value.errno, caught.value.index) == (17, 1)
            assert links.find_link(route, "two") is not None
            refused = route.attempt((links.delete_link("nothing"), links.delete_link("two")))
            assert [error and error.errno for error in refused] == [19, None]
            assert route.attempt(()) == []

    in_new_namespace(work)


@pytest.mark.root
def test_the_kernels_own_words_are_kept() -> None:
    def work() -> None:
        with links.open_route() as route, pytest.raises(NetlinkError, match=r": .*[Nn]exthop|: .*gateway"):
            route.request(links.add_default_route(IPv4Address("10.9.9.9").packed))

    in_new_namespace(work)


@pytest.mark.root
def test_a_thread_comes_back_from_another_namespace() -> None:
    def inode() -> int:
        return os.stat("/proc/thread-self/ns/net").st_ino

    home = inode()
    with netns.Outside():
        os.close(netns.unshare())
        assert inode() != home
        netns.write_sysctl("net/ipv4/ip_forward", "1")
        assert netns.read_sysctl("net/ipv4/ip_forward") == "1"
    assert inode() == home


def test_taken_ports_are_seen_in_one_dump() -> None:
    with socket.socket() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        server.bind(("127.0.0.1", 0))
        server.listen()
        other.bind(("127.0.0.1", 0))
        loopback = b"\x7f\0\0\1"
        assert (loopback, server.getsockname()[1]) in set(taken_ports(socket.IPPROTO_TCP))
        assert (loopback, other.getsockname()[1]) in set(taken_ports(socket.IPPROTO_UDP))


def test_a_deaf_socket_hears_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        drop_everything(deaf)
        deaf.bind(("127.0.0.1", 0))
        deaf.setblocking(False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", deaf.getsockname())
        with pytest.raises(BlockingIOError):
            deaf.recv(10)
