"""Tracked connections of UDP (ctnetlink): finding them and making the kernel forget them.

A tracked flow keeps its translation as long as packets come, though the rule that made it is gone.
"""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from pier.kernel.netlink import NETLINK_NETFILTER, Netlink, Request, attribute, attributes

_GET, _DELETE = 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_*
_TUPLE_ORIG, _TUPLE_REPLY, _ID = 1, 2, 12
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _DESTINATION_PORT = 1, 3
_GENERIC = struct.Struct("!BBH")
_NESTED = 0x8000
_IPV4 = _GENERIC.pack(socket.AF_INET, 0, 0)


@dataclass(frozen=True, slots=True)
class Flow:
    """A tracked flow: where its first packet went (packed address and port), and who answers."""

    destination: bytes
    port: int
    answering: bytes


def forget_udp(wanted: Callable[[Flow], bool]) -> int:
    """Make the kernel forget the IPv4 flows of UDP that are `wanted`; return how many there were."""
    with Netlink(NETLINK_NETFILTER) as netlink:
        doomed = []
        for _, body in netlink.dump(Request(_GET, 0, _IPV4)):
            values = dict(attributes(body, _GENERIC.size))
            flow = _parse(values)
            if flow is not None and wanted(flow):
                exact = attribute(_TUPLE_ORIG | _NESTED, values[_TUPLE_ORIG])
                doomed.append(Request(_DELETE, 0, _IPV4 + exact + attribute(_ID, values[_ID])))
        for first in range(0, len(doomed), 256):
            netlink.attempt(doomed[first : first + 256])  # one that has ended meanwhile is no error
        return len(doomed)


def _parse(values: dict[int, bytes]) -> Flow | None:
    if not {_TUPLE_ORIG, _TUPLE_REPLY, _ID} <= values.keys():
        return None
    original = dict(attributes(values[_TUPLE_ORIG]))
    protocol = dict(attributes(original.get(_TUPLE_PROTO, b"")))
    if protocol.get(_NUMBER, b"")[:1] != bytes((socket.IPPROTO_UDP,)):
        return None
    reply = dict(attributes(dict(attributes(values[_TUPLE_REPLY])).get(_TUPLE_IP, b"")))
    addresses = dict(attributes(original.get(_TUPLE_IP, b"")))
    (port,) = struct.unpack("!H", protocol.get(_DESTINATION_PORT, b"\0\0")[:2])
    return Flow(addresses.get(_DESTINATION, b""), port, reply.get(_SOURCE, b""))
