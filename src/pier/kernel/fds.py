"""Descriptors: passing them over sockets, closing or marking ranges, sealed bytes in memory."""

import array
import os
import select
import socket
from _socket import socketpair as _pair
from collections.abc import Sequence

from pier.kernel.libc import syscall

CLOSE_RANGE_CLOEXEC = 4
# SCM_MAX_FD of the kernel: more in one message is EINVAL.
MOST_PER_MESSAGE = 253
_LAST = 0xFFFFFFFF
# As plain integers: the enumerations of `socket` work in Python, and a keeper would pay for that in memory.
_SOL_SOCKET, _SCM_RIGHTS, NOSIGNAL = int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS), int(socket.MSG_NOSIGNAL)
_CUT_SHORT, _CMSG_CLOEXEC = int(socket.MSG_TRUNC | socket.MSG_CTRUNC), int(socket.MSG_CMSG_CLOEXEC)
_ROOM = socket.CMSG_SPACE(MOST_PER_MESSAGE * 4)
# The socket as C has it, which `socket.socket` dresses up.
Socket = socket.SocketType
_UNIX, _SEQPACKET = int(socket.AF_UNIX), int(socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)


def packet_pair() -> tuple[Socket, Socket]:
    """Two connected SOCK_SEQPACKET sockets."""
    return _pair(_UNIX, _SEQPACKET)


def packet_socket() -> Socket:
    """A new SOCK_SEQPACKET socket of the unix family."""
    return Socket(_UNIX, _SEQPACKET)


def send(connection: Socket, data: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one message of a SOCK_SEQPACKET socket with descriptors. Raises OSError."""
    connection.sendmsg((data,), rights(descriptors) if descriptors else (), NOSIGNAL)


def rights(descriptors: Sequence[int]) -> "tuple[tuple[int, int, array.array[int]]]":
    """The ancillary data that takes descriptors along."""
    return ((_SOL_SOCKET, _SCM_RIGHTS, array.array("i", descriptors)),)


def receive(connection: Socket, size: int) -> tuple[bytes, list[int]]:
    """Receive one message with its descriptors (O_CLOEXEC); (b"", []) at the end of the conversation.

    Raises OSError(EMSGSIZE) for a message cut short: whatever came with it is closed.
    """
    data, ancillary, flags, _ = connection.recvmsg(size, _ROOM, _CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == _SOL_SOCKET and kind == _SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    if flags & _CUT_SHORT:
        close_all(descriptors)
        raise OSError(90, "message too long")
    return data, list(descriptors)


def has_news(connection: Socket) -> bool:
    """Whether a message, or the end, can be received at once."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def close_all(descriptors: Sequence[int]) -> None:
    """Close each; one that is closed already does no harm."""
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass


def mark_close_on_exec(first: int) -> None:
    """Mark `first` and all above it, so that nothing unknown passes into a program."""
    syscall("close_range", first, _LAST, CLOSE_RANGE_CLOEXEC)


def in_memory(name: str, content: bytes) -> int:
    """A descriptor of a file in memory that holds `content`, read from its beginning."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def read_all(descriptor: int) -> bytes:
    """Everything a regular descriptor holds, from its beginning."""
    size = os.fstat(descriptor).st_size
    content = b""
    while len(content) < size:
        part = os.pread(descriptor, size - len(content), len(content))
        if not part:
            break
        content += part
    return content
