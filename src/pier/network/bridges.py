"""The host's side of a bridge network: making the bridge, finding a subnet that nothing else uses, taking it away."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from pier.kernel import links, netns
from pier.kernel.links import Link
from pier.kernel.netlink import Netlink
from pier.network.addresses import mac_of
from pier.spec.errors import InvalidParameter, SystemFailure

DEFAULT_MTU = 1500


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge in the kernel. `made` tells whether it is ours to take away."""

    index: int
    name: str
    made: bool


def parse_bip(text: str) -> IPv4Interface:
    """Return the address with subnet of `--bip`. InvalidParameter when a bridge cannot have it."""
    try:
        interface = IPv4Interface(text)
    except ValueError:
        raise InvalidParameter(f"invalid bridge address (--bip): {text}") from None
    network = interface.network
    edges = (network.network_address, network.broadcast_address)
    if "/" not in text or network.prefixlen > 30 or interface.ip in edges:
        raise InvalidParameter(f"invalid bridge address (--bip): {text}: needs an address of a host with its subnet")
    return interface


def subnets_in_use(host: Netlink, *, without: str = "") -> list[IPv4Network]:
    """Return the subnets of the host's addresses and routes, those of the bridge `without` left out."""
    link = links.find_link(host, without) if without else None
    skip = link.index if link else -1
    found = [
        IPv4Network((address.value, address.prefix), strict=False)
        for address in links.list_addresses(host)
        if address.index != skip
    ]
    own = {IPv4Network((a.value, a.prefix), strict=False) for a in links.list_addresses(host) if a.index == skip}
    routed = (IPv4Network((destination, length)) for destination, length in links.list_routes(host))
    return found + [network for network in routed if network not in own]


def address_of(host: Netlink, name: str) -> IPv4Interface | None:
    """Return the first IPv4 address of a link."""
    link = links.find_link(host, name)
    if link is None:
        return None
    for address in links.list_addresses(host):
        if address.index == link.index:
            return IPv4Interface((address.value, address.prefix))
    return None


def outward_mtu(host: Netlink) -> int:
    """Return the MTU of the link with the default route, at most 1500: larger packets would be broken up or lost."""
    index = links.default_route_link(host)
    sizes = [link.mtu for link in links.list_links(host) if link.index == index and link.mtu >= 68]
    return min([*sizes, DEFAULT_MTU])


def ensure(host: Netlink, name: str, interface: IPv4Interface, mtu: int) -> Bridge:
    """Make the bridge, or take the one of that name; give it the address and the settings of our bridges."""
    present = links.find_link(host, name)
    if present is None:
        host.request(links.new_bridge(name, mac_of(interface.ip), mtu), links.without_addresses_of_its_own(name))
    elif present.kind != "bridge":
        raise SystemFailure(f"link {name} exists and is no bridge")
    try:
        return _settle(host, name, interface, made=present is None)
    except BaseException:
        if present is None:
            remove(host, name)
        raise


def _settle(host: Netlink, name: str, interface: IPv4Interface, *, made: bool) -> Bridge:
    index = socket.if_nametoindex(name)
    if made:
        with suppress(FileNotFoundError):  # a host without IPv6
            netns.write_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "1")
            netns.write_sysctl(
                f"net/ipv6/conf/{name}/accept_ra", "0"
            )  # a container cannot route the host (CVE-2020-13401)
    netns.write_sysctl(f"net/ipv4/conf/{name}/route_localnet", "1")
    wanted = (interface.ip.packed, interface.network.prefixlen)
    present = [(a.value, a.prefix) for a in links.list_addresses(host) if a.index == index]
    requests = [links.set_up(name)]
    if wanted not in present:
        requests.append(links.add_address(index, *wanted))
    host.request(*requests)
    return Bridge(index, name, made)


def readdress(host: Netlink, name: str, interface: IPv4Interface) -> None:
    """Take every other IPv4 address from a bridge of our own: `--bip` has changed since the last start."""
    link = links.find_link(host, name)
    if link is None:
        return
    wanted = (interface.ip.packed, interface.network.prefixlen)
    old = [a for a in links.list_addresses(host) if a.index == link.index and (a.value, a.prefix) != wanted]
    host.attempt([links.delete_address(a.index, a.value, a.prefix) for a in old])


def remove(host: Netlink, name: str) -> None:
    """Delete the bridge; one that is gone is no error."""
    host.attempt([links.delete_link(name)])


def ports_of(host: Netlink, index: int) -> list[Link]:
    """Return the links that are ports of the bridge."""
    return [link for link in links.list_links(host) if link.master == index]


def forward_packets() -> None:
    """Let the host route IPv4, as containers need it."""
    if netns.read_sysctl("net/ipv4/ip_forward") != "1":
        netns.write_sysctl("net/ipv4/ip_forward", "1")


def packets_pass_filters() -> bool:
    """Tell whether br_netfilter shows bridged packets to the rules.

    It then turns a container's connection to its own published port round inside the bridge, which drops a packet that
    would leave by the port it came from, unless that port is in hairpin mode.
    """
    with suppress(OSError):
        return netns.read_sysctl("net/bridge/bridge-nf-call-iptables") == "1"
    return False


def gateway_of(subnet: IPv4Network) -> IPv4Address:
    """Return the address that a network's gateway has unless the user says otherwise: the first."""
    return IPv4Address(int(subnet.network_address) + 1)


def interface_in(subnet: IPv4Network) -> IPv4Interface:
    """Return the gateway's address together with its subnet."""
    return IPv4Interface((int(gateway_of(subnet)), subnet.prefixlen))
