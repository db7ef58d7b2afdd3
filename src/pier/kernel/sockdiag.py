"""Socket diagnosis (sock_diag(7)): which local ports are taken, in one dump per protocol and family."""

import socket
import struct
from collections.abc import Iterator

from pier.kernel.netlink import NETLINK_SOCK_DIAG, Netlink, Request

_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = struct.Struct("=BBBxI")  # struct inet_diag_req_v2 up to its socket id
_SOCKET_ID = bytes(48)
_ANSWER = struct.Struct("!HH")  # ports of struct inet_diag_sockid, 4 bytes into struct inet_diag_msg
_TCP_LISTEN, _TCP_CLOSE = 10, 7
_TAKEN = 1 << _TCP_LISTEN | 1 << _TCP_CLOSE


def taken_ports(protocol: int) -> Iterator[tuple[bytes, int]]:
    """Yield (packed local address, port) of every listening or unconnected socket of IPPROTO_TCP or IPPROTO_UDP."""
    with Netlink(NETLINK_SOCK_DIAG) as netlink:
        for family, size in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
            body = _REQUEST.pack(family, protocol, 0, _TAKEN) + _SOCKET_ID
            for _, answer in netlink.dump(Request(_SOCK_DIAG_BY_FAMILY, 0, body)):
                port, _ = _ANSWER.unpack_from(answer, 4)
                yield answer[8 : 8 + size], port
