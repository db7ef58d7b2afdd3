"""Containers' places in networks, seen from inside their namespaces."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pier.kernel import links, netns
from pier.kernel.nftables import Table
from pier.network.definitions import NetworkRequest
from pier.network.endpoints import EndpointRequest, Lease
from pier.network.networks import Networks
from pier.network.options import Options
from pier.network.rules import MAPS
from pier.spec.errors import Conflict, Forbidden, InvalidParameter, NotFound, PierError, SystemFailure
from pier.spec.host_config import PortBinding
from pier.spec.ports import exposed_ports, publications
from tests.network.rooms import Echo, Greeter, ask_udp, greet, inside

pytestmark = pytest.mark.root


def published(port: str, *host: tuple[str, str], name: str = "web") -> EndpointRequest:
    bindings = [PortBinding(HostIp=address, HostPort=number) for address, number in host]
    return EndpointRequest(name=name, ports=publications({port: bindings}), exposed=exposed_ports([port]))


def host_port(lease: Lease, key: str = "80/tcp", place: int = 0) -> int:
    bindings = lease.ports[key]
    assert bindings
    return int(bindings[place].HostPort)


def host_address() -> str:
    """An address of the host that is not loopback."""
    with links.open_route() as route:
        found = [socket.inet_ntoa(address.value) for address in links.list_addresses(route)]
    return next(address for address in found if not address.startswith(("127.", "172.29.")))


@contextmanager
def serving(lease: Lease, port: int = 80) -> Iterator[Greeter]:
    server = inside(lease.netns_fd, lambda: Greeter(port))
    try:
        yield server
    finally:
        server.close()


@contextmanager
def greeter(address: str = "0.0.0.0") -> Iterator[int]:
    """A server on the host; gives its port."""
    server = Greeter(0, address)
    try:
        yield server.port
    finally:
        server.close()


def link_names() -> set[str]:
    return set(os.listdir("/sys/class/net"))


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


def test_a_port_published_on_loopback_is_reached_only_there(networks: Networks) -> None:
    web = networks.connect("c1", "bridge", published("80/tcp", ("127.0.0.1", "")))
    with serving(web):
        assert greet("127.0.0.1", host_port(web))
        with pytest.raises(ConnectionRefusedError):
            greet(host_address(), host_port(web))


def test_udp_is_published(networks: Networks) -> None:
    lease = networks.connect("c1", "bridge", published("5353/udp", ("127.0.0.1", "")))
    server = inside(lease.netns_fd, lambda: Echo(5353))
    try:
        assert ask_udp("127.0.0.1", host_port(lease, "5353/udp")) == b"ping"
    finally:
        inside(lease.netns_fd, server.close)


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


def send_loopback_to(gateway: str, source: str) -> None:
    """Inside a namespace: 127/8 is no longer here but behind the gateway, as an attacker sets it up."""
    netns.write_sysctl("net/ipv4/conf/eth0/route_localnet", "1")
    for local in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "del", "local", local, "table", "local"], check=True)
    subprocess.run(["ip", "route", "add", "127.0.0.0/8", "via", gateway, "src", source], check=True)


@contextmanager
def neighbour(prefix: str) -> Iterator[int]:
    """A machine beside the host: a namespace on a link of its own, with the host as its gateway for everything."""
    made: list[int] = []

    def make() -> None:
        with netns.Outside():
            made.append(netns.unshare())

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    link = f"lan{os.getpid()}"
    with links.open_route() as route:
        peer = links.Peer("eth0", made[0], b"\x02\x42\x0a\x00\x00\x02")
        route.request(links.new_veth(link, peer), links.set_up(link))
        route.request(links.add_address(socket.if_nametoindex(link), socket.inet_aton(f"{prefix}.1"), 24))

        def settle() -> None:
            with links.open_route() as room:
                room.request(links.set_up("lo"), links.set_up("eth0"))
                index = socket.if_nametoindex("eth0")
                room.request(links.add_address(index, socket.inet_aton(f"{prefix}.2"), 24))
                room.request(links.add_default_route(socket.inet_aton(f"{prefix}.1")))
            netns.write_sysctl("net/ipv4/conf/all/route_localnet", "1")
            netns.write_sysctl("net/ipv4/conf/eth0/route_localnet", "1")
            subprocess.run(["ip", "route", "del", "local", "127.0.0.0/8", "table", "local"], check=True)
            subprocess.run(
                ["ip", "route", "add", "127.0.0.0/8", "via", f"{prefix}.1", "src", f"{prefix}.2"], check=True
            )

        try:
            inside(made[0], settle)
            yield made[0]
        finally:
            route.request(links.delete_link(link))
            os.close(made[0])


def test_a_neighbour_on_the_wire_reaches_published_ports_and_nothing_else(networks: Networks, lan: str) -> None:
    """CVE-2020-8558 and direct routes to containers: only what is published for everyone answers."""
    everyone = networks.connect("c1", "bridge", published("80/tcp", ("", "")))
    loopback = networks.connect("c2", "bridge", published("80/tcp", ("127.0.0.1", "")))
    secret = networks.connect("c3", "bridge", EndpointRequest(name="secret"))
    with neighbour(lan) as room, serving(everyone), serving(loopback), serving(secret):

        def reach(address: str, port: int) -> str:
            return inside(room, lambda: greet(address, port, patience=0.5))

        assert reach(f"{lan}.1", host_port(everyone)) == f"{lan}.2"
        for address, port in (
            ("127.0.0.1", host_port(loopback)),
            (f"{lan}.1", host_port(loopback)),
            ("127.0.0.1", host_port(everyone)),
            (everyone.endpoint.address, 80),
            (loopback.endpoint.address, 80),
            (secret.endpoint.address, 80),
        ):
            with pytest.raises(OSError):
                reach(address, port)


def test_a_container_cannot_reach_the_hosts_loopback_through_its_bridge(networks: Networks) -> None:
    """route_localnet is on for the bridge; the raw chain must still keep 127/8 for the host."""
    lease = networks.connect("c1", "bridge", EndpointRequest(name="one"))

    def attack(port: int) -> str:
        send_loopback_to(lease.endpoint.gateway, lease.endpoint.address)
        return greet("127.0.0.1", port, patience=0.5)

    with greeter("127.0.0.1") as port, pytest.raises(TimeoutError):
        inside(lease.netns_fd, lambda: attack(port))


def test_slots_are_never_given_twice(networks: Networks) -> None:
    seen = set()
    for number in range(12):
        lease = networks.connect(f"c{number}", "bridge", EndpointRequest(name="x"))
        seen.add(os.fstat(lease.netns_fd).st_ino)
        networks.release(f"c{number}")
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


def test_containers_and_ports_outlive_a_daemon_that_is_killed(
    make_networks: Callable[..., Networks], options: Options
) -> None:
    first = make_networks()
    first.restore({})
    alive = first.connect("alive", "bridge", published("80/tcp", ("127.0.0.1", "")))
    dead = first.connect("dead", "bridge", published("80/tcp", ("127.0.0.1", "")))
    with serving(alive):
        second = make_networks()  # the first is not closed: as after kill -9, its objects are still there
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


def test_a_second_start_adds_what_somebody_flushed(make_networks: Callable[..., Networks], options: Options) -> None:
    first = make_networks()
    first.restore({})
    lease = first.connect("c1", "bridge", published("80/tcp", ("127.0.0.1", "")))
    subprocess.run(["nft", "delete", "table", "ip", f"pier-{options.instance}"], check=True)
    second = make_networks()
    second.restore(second.stored())
    with serving(lease):
        assert greet("127.0.0.1", host_port(lease))


def test_a_network_of_the_users_own(networks: Networks, lan: str) -> None:
    request = NetworkRequest(name="mine", subnet=f"{lan}.0/24", labels={"a": "b"})
    definition = networks.create(request)
    assert definition.gateway == f"{lan}.1"
    assert networks.find("mine") == networks.find(definition.id) == networks.find(definition.id[:7]) == definition
    with pytest.raises(Conflict, match="network with name mine already exists"):
        networks.create(request)
    lease = networks.connect("c1", "mine", EndpointRequest(name="one", address=f"{lan}.77"))
    assert lease.endpoint.address == f"{lan}.77"
    assert networks.connected(definition.id) == (lease,)
    with pytest.raises(Forbidden, match="has active endpoints"):
        networks.remove("mine")
    stranger = networks.connect("c2", "bridge", EndpointRequest(name="two"))
    host = host_address()
    with serving(lease), greeter() as port:
        assert inside(lease.netns_fd, lambda: greet(host, port)) == f"{lan}.77"
        with pytest.raises(OSError):
            inside(stranger.netns_fd, lambda: greet(lease.endpoint.address, 80, patience=0.3))
    networks.release("c1")
    networks.remove("mine")
    assert definition.bridge not in link_names()
    with pytest.raises(NotFound, match="network mine not found"):
        networks.find("mine")


def test_an_internal_network_has_no_way_out(networks: Networks, lan: str) -> None:
    networks.create(NetworkRequest(name="inner", subnet=f"{lan}.0/24", internal=True))
    one = networks.connect("c1", "inner", EndpointRequest(name="one"))
    two = networks.connect("c2", "inner", EndpointRequest(name="two"))
    assert one.endpoint.gateway == ""
    host = host_address()
    with pytest.raises(OSError, match="Network is unreachable"):
        inside(one.netns_fd, lambda: greet(host, 9, patience=0.3))
    with serving(two):
        assert inside(one.netns_fd, lambda: greet(two.endpoint.address, 80)) == one.endpoint.address


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (NetworkRequest("bridge"), Forbidden, "operation is not permitted on predefined bridge network"),
        (NetworkRequest("x", driver="nope"), NotFound, "could not find plugin nope"),
        (NetworkRequest("x", subnet="10.77.53.5/24"), InvalidParameter, "invalid subnet 10.77.53.5/24"),
        (NetworkRequest("x", subnet="127.0.0.0/8"), Forbidden, "Pool overlaps"),
        (NetworkRequest("x", subnet="10.77.53.0/24", gateway="10.0.0.1"), InvalidParameter, "no matching subnet"),
        (NetworkRequest("x", gateway="10.0.0.1"), InvalidParameter, "needs a subnet"),
        (NetworkRequest("x", options={"com.docker.network.driver.mtu": "abc"}), InvalidParameter, "driver.mtu value"),
        (NetworkRequest("x", options={"com.docker.network.nope": "1"}), PierError, "com.docker.network.nope"),
        (NetworkRequest(""), InvalidParameter, "name"),
    ],
)
def test_networks_that_cannot_be(
    networks: Networks, request_: NetworkRequest, kind: type[PierError], words: str
) -> None:
    before = networks.list()
    with pytest.raises(kind, match=words):
        networks.create(request_)
    assert networks.list() == before


def test_networks_that_every_daemon_has_stay(networks: Networks) -> None:
    assert [definition.name for definition in networks.list()] == ["host", "none", "bridge"]
    for name in ("bridge", "host", "none"):
        with pytest.raises(Forbidden, match=f"{name} is a pre-defined network and cannot be removed"):
            networks.remove(name)


def test_an_address_on_the_default_bridge_cannot_be_chosen(networks: Networks) -> None:
    with pytest.raises(InvalidParameter, match="user specified IP address is supported on user defined networks only"):
        networks.connect("c1", "bridge", EndpointRequest(address="172.29.1.77"))


def test_a_bridge_of_the_users_own_stays(make_networks: Callable[..., Networks], options: Options) -> None:
    name = f"own{options.instance}"
    with links.open_route() as route:
        route.request(links.new_bridge(name))
    try:
        networks = make_networks(replace(options, bridge=name))
        networks.restore({})
        assert networks.connect("c1", "bridge", EndpointRequest()).endpoint.address
        networks.release("c1")
        networks.close()
        assert name in link_names()
    finally:
        with links.open_route() as route:
            route.request(links.delete_link(name))
