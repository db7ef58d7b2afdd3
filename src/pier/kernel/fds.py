"""Descriptors: passing them over sockets, closing or marking ranges, sealed bytes in memory."""

import array
import os
import socket
from collections.abc import Sequence

from pier.kernel.libc import syscall

CLOSE_RANGE_CLOEXEC = 4
# SCM_MAX_FD of the kernel: more in one message is EINVAL.
MOST_PER_MESSAGE = 253
_LAST = 0xFFFFFFFF


def send(connection: socket.socket, data: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one message of a SOCK_SEQPACKET socket with descriptors. Raises OSError."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    connection.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)


def receive(connection: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """Receive one message with its descriptors (O_CLOEXEC); (b"", []) at the end of the conversation.

    Raises OSError(EMSGSIZE) for a message cut short: whatever came with it is closed.
    """
    room = socket.CMSG_SPACE(MOST_PER_MESSAGE * 4)
    data, ancillary, flags, _ = connection.recvmsg(size, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(descriptors)
        raise OSError(90, "message too long")
    return data, list(descriptors)


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


def close_from(first: int) -> None:
    """Close `first` and all above it."""
    syscall("close_range", first, _LAST, 0)


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
