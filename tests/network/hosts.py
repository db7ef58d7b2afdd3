"""What tests of networks share: published containers, the host's own address, a machine beside the host."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pier.kernel import links, netns
from pier.network.endpoints import EndpointRequest, Lease
from pier.spec.host_config import PortBinding
from pier.spec.ports import exposed_ports, publications
from tests.network.rooms import Greeter, inside


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
