"""Containers' places in networks, seen from inside their namespaces."""

import os
import socket
import subprocess
from collections.abc import Callable

import msgspec
import pytest

from pier.kernel import links
from pier.kernel.nftables import Table
from pier.network.endpoints import EndpointRequest
from pier.network.networks import Networks
from pier.network.options import Options
from pier.network.rules import MAPS
from pier.spec.errors import SystemFailure
from tests.network.hosts import (
    greeter,
    host_address,
    host_port,
    link_names,
    published,
    serving,
)
from tests.network.rooms import PATIENCE, Echo, ask_udp, greet, inside

pytestmark = pytest.mark.root


def test_a_container_finds_its_address_its_route_and_no_ipv6(networks: Networks) -> None:
    lease = networks.connect("c1", "bridge", EndpointRequest(name="one"))

    def look() -> tuple[dict[str, links.Link], list[links.Address], int, list[links.Address]]:
        with links.open_route() as route:
            there = {link.name: link for link in links.list_links(route)}
            v6 = links.list_addresses(route, socket.AF_INET6)
            return there, links.list_addresses(route), links.default_route_link(route), v6

    there, addresses, way_out, v6 = inside(lease.netns_fd, look)
    assert there["lo"].up
    assert there["eth0"].up
    assert there["eth0"].mac.hex(":") == lease.endpoint.mac
    own = [address for address in addresses if address.index == there["eth0"].index]
    assert [(socket.inet_ntoa(address.value), address.prefix) for address in own] == [(lease.endpoint.address, 24)]
    assert way_out == there["eth0"].index
    assert [address for address in v6 if address.index == there["eth0"].index] == []
    assert lease.endpoint.gateway == networks.find("bridge").gateway


def test_a_container_reaches_the_host_and_its_neighbour(networks: Networks) -> None:
    one = networks.connect("c1", "bridge", EndpointRequest(name="one"))
    two = networks.connect("c2", "bridge", EndpointRequest(name="two"))
    host = host_address()
    with greeter() as port:
        assert inside(one.netns_fd, lambda: greet(host, port)) == one.endpoint.address
    with serving(two):
        assert inside(one.netns_fd, lambda: greet(two.endpoint.address, 80)) == one.endpoint.address


def test_a_published_port_is_reached_from_everywhere(networks: Networks) -> None:
    web = networks.connect("c1", "bridge", published("80/tcp", ("", "")))
    other = networks.connect("c2", "bridge", EndpointRequest(name="other"))
    gateway = networks.find("bridge").gateway
    port, host = host_port(web), host_address()
    with serving(web):
        assert greet("127.0.0.1", port) == gateway
        assert greet(host, port) == host
        assert inside(other.netns_fd, lambda: greet(host, port)) == gateway
        assert inside(web.netns_fd, lambda: greet(host, port)) == gateway
    networks.release("c1")
    with pytest.raises(ConnectionRefusedError):
        greet("127.0.0.1", port)


def test_udp_is_published(networks: Networks) -> None:
    lease = networks.connect("c1", "bridge", published("5353/udp", ("127.0.0.1", "")))
    server = inside(lease.netns_fd, lambda: Echo(5353))
    try:
        assert ask_udp("127.0.0.1", host_port(lease, "5353/udp")) == b"ping"
    finally:
        inside(lease.netns_fd, server.close)


def test_a_client_that_keeps_its_udp_port_meets_the_next_container(networks: Networks) -> None:
    """Tracked flows keep their translation as long as datagrams come: they are forgotten with the publication."""
    first = networks.connect("c1", "bridge", published("5353/udp", ("127.0.0.1", "")))
    number = host_port(first, "5353/udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", number))
        for name in ("c1", "c2"):
            lease = networks.lease(name) or networks.connect(
                name, "bridge", published("5353/udp", ("127.0.0.1", str(number)))
            )
            server = inside(lease.netns_fd, lambda: Echo(5353))
            try:
                client.send(name.encode())
                assert client.recv(10) == name.encode()
            finally:
                inside(lease.netns_fd, server.close)
            networks.release(name)
            client.send(b"to nobody")
            with pytest.raises(ConnectionRefusedError):
                client.recv(10)


def test_a_long_range_is_published_as_one_interval(networks: Networks, options: Options) -> None:
    lease = networks.connect("c1", "bridge", published("21000-21100/tcp", ("127.0.0.1", "21000-21100")))
    with serving(lease, 21077):
        assert greet("127.0.0.1", 21077)
    table = Table(f"pier-{options.instance}")
    assert len(table.elements("ranges_at")) == 1
    networks.release("c1")
    assert table.elements("ranges_at") == []
    table.close()


def test_a_port_in_use_is_refused_in_dockers_words_and_leaves_nothing(networks: Networks) -> None:
    web = networks.connect("c1", "bridge", published("80/tcp", ("", "")))
    port = host_port(web)
    words = (
        r"driver failed programming external connectivity on endpoint two \([0-9a-f]{64}\): "
        f"Bind for 0.0.0.0:{port} failed: port is already allocated"
    )
    with pytest.raises(SystemFailure, match=words):
        networks.connect("c2", "bridge", published("80/tcp", ("", str(port)), name="/two"))
    assert networks.lease("c2") is None
    networks.release("c1")
    networks.connect("c2", "bridge", published("80/tcp", ("", str(port))))


def test_slots_are_never_given_twice(networks: Networks) -> None:
    held = []  # the kernel gives the number of a namespace that is gone again
    for number in range(12):
        lease = networks.connect(f"c{number}", "bridge", EndpointRequest(name="x"))
        held.append(os.dup(lease.netns_fd))
        networks.release(f"c{number}")
    seen = {os.fstat(descriptor).st_ino for descriptor in held}
    for descriptor in held:
        os.close(descriptor)
    assert len(seen) == 12


def test_everything_returns_to_what_it_was(make_networks: Callable[..., Networks], options: Options) -> None:
    before, descriptors = link_names(), len(os.listdir("/proc/self/fd"))
    networks = make_networks()
    networks.restore({})
    for number in range(40):
        networks.connect(f"c{number}", "bridge", published("80/tcp", ("127.0.0.1", "")))
        networks.release(f"c{number}")
    networks.settle()
    table = Table(f"pier-{options.instance}")
    assert [table.elements(name) for name in MAPS] == [[], [], [], []]
    assert list(options.leases.iterdir()) == []
    networks.close()
    assert not table.exists()
    table.close()
    assert not {name for name in link_names() - before if options.instance in name}
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_a_release_twice_or_of_a_stranger_is_nothing(networks: Networks) -> None:
    networks.connect("c1", "bridge", EndpointRequest(name="one"))
    networks.release("c1")
    networks.release("c1")
    networks.release("stranger")


def test_the_namespace_of_none_has_only_its_loopback(networks: Networks) -> None:
    descriptor = networks.private()
    assert inside(descriptor, lambda: [name for _, name in socket.if_nameindex()]) == ["lo"]
    os.close(descriptor)


def test_a_hardware_address_can_be_chosen(networks: Networks) -> None:
    lease = networks.connect("c1", "bridge", EndpointRequest(name="one", mac="02:11:22:33:44:55"))
    assert lease.endpoint.mac == "02:11:22:33:44:55"

    assert inside(lease.netns_fd, lambda: mac_of("eth0")) == "02:11:22:33:44:55"


def mac_of(name: str) -> str:
    with links.open_route() as route:
        return next(link.mac.hex(":") for link in links.list_links(route) if link.name == name)


def kill(networks: Networks) -> None:
    """As kill -9 would: nothing is tidied up, but nobody guards the rules any more."""
    networks._packets.stop_guard()


def test_containers_and_ports_outlive_a_daemon_that_is_killed(
    make_networks: Callable[..., Networks], options: Options
) -> None:
    first = make_networks()
    first.restore({})
    alive = first.connect("alive", "bridge", published("80/tcp", ("127.0.0.1", "")))
    dead = first.connect("dead", "bridge", published("80/tcp", ("127.0.0.1", "")))
    with serving(alive):
        kill(first)
        second = make_networks()
        stored = second.stored()
        assert stored["alive"].endpoint == alive.endpoint
        assert greet("127.0.0.1", host_port(alive))
        second.restore({"alive": stored["alive"]})
        assert greet("127.0.0.1", host_port(alive))
    known = second.lease("alive")
    assert known is not None
    assert known.ports == alive.ports
    assert known.netns_fd == -1
    assert dead.endpoint.link not in link_names()
    table = Table(f"pier-{options.instance}")
    assert len(table.elements("ports_at")) == 1
    table.close()
    fresh = second.connect("new", "bridge", EndpointRequest(name="new"))
    assert fresh.endpoint.address != alive.endpoint.address
    second.release("alive")
    second.settle()
    assert alive.endpoint.link not in link_names()


def test_a_lease_that_fits_nothing_any_more_does_not_keep_the_daemon_down(
    make_networks: Callable[..., Networks], caplog: pytest.LogCaptureFixture
) -> None:
    first = make_networks()
    first.restore({})
    first.connect("odd", "bridge", EndpointRequest(name="odd"))
    kept = first.connect("kept", "bridge", EndpointRequest(name="kept"))
    kill(first)
    second = make_networks()
    stored = second.stored()
    broken = msgspec.structs.replace(stored["odd"].endpoint, address="nowhere")
    second.restore({**stored, "odd": msgspec.structs.replace(stored["odd"], endpoint=broken)})
    assert "the addresses of container odd cannot be held again" in caplog.text
    assert second.lease("kept") is not None
    fresh = second.connect("new", "bridge", EndpointRequest(name="new"))
    assert fresh.endpoint.address != kept.endpoint.address


def test_a_second_start_adds_what_somebody_flushed(make_networks: Callable[..., Networks], options: Options) -> None:
    first = make_networks()
    first.restore({})
    lease = first.connect("c1", "bridge", published("80/tcp", ("127.0.0.1", "")))
    kill(first)
    subprocess.run(["nft", "delete", "table", "ip", f"pier-{options.instance}"], check=True)
    second = make_networks()
    second.restore(second.stored())
    with serving(lease):
        assert greet("127.0.0.1", host_port(lease))
