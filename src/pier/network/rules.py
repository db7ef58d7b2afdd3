"""The nftables table of one daemon: its rules as text, its map elements as values. Pure.

    hook            priority  what
    prerouting      raw       nothing from outside reaches 127/8, though route_localnet is on (CVE-2020-8558)
    prerouting      dstnat    packets to an address of the host → `publish`
    output          dstnat    the host's own connections → `publish` (loopback too: no proxy process)
    forward         filter    towards our bridges: only answers, what was published, and neighbours of one network
    postrouting     srcnat    masquerade: outwards, hairpin (through the host's address and back), from loopback

Single ports live in hash maps, long ranges in concatenated interval maps that hold only ranges: an interval map of
single ports costs milliseconds per element. The maps outlive every change of the rules, so published ports never close.
"""

import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from pier.kernel.nftables import Element
from pier.network.endpoints import Mapping

MAPS = ("ports", "ports_at", "ranges", "ranges_at")
LONG_RANGE = 64  # more ports than this of equal number on both sides become one interval
_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
_KEY = struct.Struct("!B3xH2x")  # inet_proto . inet_service: each part fills words of four bytes
_PORT = struct.Struct("!H2x")


@dataclass(frozen=True, slots=True)
class Segment:
    """What the rules need to know of one bridge network."""

    bridge: str
    subnet: str
    icc: bool = True
    masquerade: bool = True
    internal: bool = False


def table_text(table: str, segments: Sequence[Segment]) -> str:
    """Return the commands that make the table or bring its rules up to date in one transaction; maps keep their
    elements.
    """
    lines = [
        "add table ip T",
        "add map ip T ports { type inet_proto . inet_service : ipv4_addr . inet_service; }",
        "add map ip T ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }",
        "add map ip T ranges { type inet_proto . inet_service : ipv4_addr; flags interval; }",
        "add map ip T ranges_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; }",
        "add chain ip T publish",
        "add chain ip T inward",
        "add chain ip T raw { type filter hook prerouting priority raw; policy accept; }",
        "add chain ip T prerouting { type nat hook prerouting priority dstnat; policy accept; }",
        "add chain ip T output { type nat hook output priority -100; policy accept; }",
        "add chain ip T forward { type filter hook forward priority filter; policy accept; }",
        "add chain ip T postrouting { type nat hook postrouting priority srcnat; policy accept; }",
        *(f"flush chain ip T {name}" for name in _CHAINS),
        *(f"add rule ip T {rule}" for rule in _rules(segments)),
    ]
    return "\n".join(lines).replace(" ip T", f" ip {table}") + "\n"


_CHAINS = ("publish", "inward", "raw", "prerouting", "output", "forward", "postrouting")


def _rules(segments: Sequence[Segment]) -> Iterable[str]:
    yield 'raw iifname != "lo" ip daddr 127.0.0.0/8 drop'
    yield "prerouting fib daddr type local jump publish"
    yield "output fib daddr type local jump publish"
    yield "publish dnat ip to ip daddr . meta l4proto . th dport map @ports_at"
    yield "publish dnat ip to meta l4proto . th dport map @ports"
    yield "publish dnat to ip daddr . meta l4proto . th dport map @ranges_at"
    yield "publish dnat to meta l4proto . th dport map @ranges"
    for segment in segments:
        if segment.internal:
            yield f'forward iifname "{segment.bridge}" oifname != "{segment.bridge}" drop'
            yield f'forward iifname != "{segment.bridge}" oifname "{segment.bridge}" drop'
    if segments:
        names = ", ".join(f'"{segment.bridge}"' for segment in segments)
        yield f"forward oifname {{ {names} }} jump inward"
    yield "inward ct state established,related accept"
    yield "inward ct status dnat accept"
    for segment in segments:
        if segment.icc:
            yield f'inward iifname "{segment.bridge}" oifname "{segment.bridge}" accept'
        if segment.masquerade and not segment.internal:
            yield f'postrouting ip saddr {segment.subnet} oifname != "{segment.bridge}" masquerade'
        yield f'postrouting oifname "{segment.bridge}" ip saddr {segment.subnet} ct status dnat masquerade'
        yield f'postrouting oifname "{segment.bridge}" ip saddr 127.0.0.0/8 masquerade'
    yield "inward drop"


def elements(mappings: Iterable[Mapping], address: str) -> list[Element]:
    """Return the map elements that publish ports of the container at `address`."""
    target = IPv4Address(address).packed
    found: list[Element] = []
    for mapping in mappings:
        if mapping.count > LONG_RANGE and mapping.kept_number:
            found.append(_interval(mapping, target))
        else:
            found.extend(_single(mapping, target, place) for place in range(mapping.count))
    return found


def _single(mapping: Mapping, target: bytes, place: int) -> Element:
    name, prefix = ("ports_at", IPv4Address(mapping.address).packed) if mapping.address else ("ports", b"")
    key = prefix + _KEY.pack(_NUMBERS[mapping.protocol], mapping.first + place)
    return Element(name, key, target + _PORT.pack(mapping.container_first + place))


def _interval(mapping: Mapping, target: bytes) -> Element:
    name, prefix = ("ranges_at", IPv4Address(mapping.address).packed) if mapping.address else ("ranges", b"")
    number = _NUMBERS[mapping.protocol]
    return Element(name, prefix + _KEY.pack(number, mapping.first), target, prefix + _KEY.pack(number, mapping.last))


def difference(desired: Iterable[Element], present: Iterable[Element]) -> tuple[list[Element], list[Element]]:
    """Return (to add, to remove): an element with another value is in both."""
    wanted, there = set(desired), set(present)
    return sorted(wanted - there, key=_place), sorted(there - wanted, key=_place)


def _place(element: Element) -> tuple[str, bytes]:
    return element.map, element.key
